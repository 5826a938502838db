export { type CleanupFailure, CleanupStack } from './cleanup-stack.ts';
export { type EndReport, type EndRequest, endProcesses } from './end-processes.ts';
export { checkExecRequest, requestTooBig, sizeOfRequest } from './exec-request.ts';
export { cancelled, errnoOf, fileError } from './file-errors.ts';
export { feedInput } from './input-feed.ts';
export { type Line, LineSplitter } from './lines.ts';
export { type Marker, markerOf, newMarker } from './marker.ts';
export { mountsBelow, unmount } from './mounts.ts';
export { PipeSource, type ProcessPipe } from './output-pipes.ts';
export { folderUnavailable, makeOwnedFolder, removeOwnedFolder } from './owned-folders.ts';
export { namePattern, type OwnerFile, ownerFileName } from './owner-file.ts';
export { type ProcessGroupOptions, startProcessGroup } from './process-group.ts';
export { type IdentitySource, ownIdentity, type ProcessIdentity, thisMachine } from './process-identity.ts';
export {
  parseLinuxStat,
  type ProcessEntry,
  type ProcessTable,
  processTable,
  type RunProgram,
} from './process-table.ts';
export { removeTree, type TreeRemoval } from './remove-tree.ts';
export { hostPathStyle, isBelow, type PathStyle, pathBelow, safeParts } from './safe-path.ts';
export { type SweepPlace, sweepOwnedFolders } from './sweep-folders.ts';
export { archiveError, feedArchive, firstFailure } from './tar-feed.ts';
export { type PackRequest, packTar } from './tar-pack.ts';
export { type UnpackRequest, unpackTar } from './tar-unpack.ts';
