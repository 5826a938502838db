import esbuild from 'esbuild';

/** What an import gives by name, for an error: empty where that is known only at run time, as for CommonJS. */
export async function listExports(specifier: string, workDir: string): Promise<readonly string[]> {
  try {
    const { metafile } = await esbuild.build({
      absWorkingDir: workDir,
      entryPoints: [specifier],
      outdir: 'exports',
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'silent',
      external: ['*.node'],
    });
    return Object.values(metafile.outputs).flatMap((output) => output.exports);
  } catch {
    return [];
  }
}
