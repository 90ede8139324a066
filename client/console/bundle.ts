// Makes the script and the styles of the page out of its sources: once for a package, and in a checkout when a console is served there.
// REQUIRES: the packages of the page, which are for development only.

import { build, type Metafile } from 'esbuild'
import { join } from 'node:path'

export interface BuiltPage { readonly script: Uint8Array; readonly styles: Uint8Array }

export async function bundlePage(sources: string): Promise<BuiltPage & { readonly metafile: Metafile }> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: join(sources, '../../..'), entryPoints: [join(sources, 'console.tsx')], outdir: sources, bundle: true, write: false,
    format: 'esm', platform: 'browser',
    target: ['chrome111', 'firefox115', 'safari16.4'], minify: true, jsx: 'automatic', jsxImportSource: 'preact', metafile: true,
    legalComments: 'none', logLevel: 'silent', define: { 'process.env.NODE_ENV': '"production"' },
  })
  const find = (ending: string): Uint8Array => outputFiles.find(({ path }) => path.endsWith(ending))!.contents
  return { script: find('.js'), styles: find('.css'), metafile }
}
