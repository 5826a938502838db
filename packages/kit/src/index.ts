export { type CleanupFailure, CleanupStack } from './cleanup-stack.ts';
export { cancelled, errnoOf, fileError } from './file-errors.ts';
export { type Line, LineSplitter } from './lines.ts';
export { hostPathStyle, isBelow, type PathStyle, pathBelow, safeParts } from './safe-path.ts';
export { type PackRequest, packTar } from './tar-pack.ts';
export { type UnpackRequest, unpackTar } from './tar-unpack.ts';
