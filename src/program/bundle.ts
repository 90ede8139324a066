// From a user's module to the one file that is shipped: TypeScript and npm imports in, node's own modules left out, source map
// at its end. The same sources give the same bytes on every machine: no absolute path gets in, and 'gristmill' is our own
// authoring module whatever is installed beside the program.

import { createHash } from 'node:crypto'
import { basename, dirname, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildFailure, BuildOptions, Message, Plugin } from 'esbuild'
import { GristmillError } from '../base/errors.ts'
import { programId, type ProgramId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { formatBytes } from '../base/units.ts'
import type { Disk } from '../ports/disk.ts'
import { mapMark } from './stack.ts'

export interface Bundle {
  /** SHA-256 of the bytes. */
  readonly id: ProgramId
  readonly bytes: Buffer
  /** The file's name without its extension: what a job is called unless it is told. */
  readonly name: string
}

/** What bundled CommonJS packages call for node's own modules. A fixed place: everything else is in the bundle. */
const banner = `import { createRequire as gristmillRequire } from 'node:module'; const require = gristmillRequire('file:///gristmill/');`

/** Throws PROGRAM_INVALID with the compiler's messages (`details.output`), ENOENT, TOO_LARGE. `file` is absolute. */
export async function bundleProgram({ disk }: { disk: Disk }, file: string): Promise<Bundle> {
  const found = await disk.stat(file)
  if (found?.kind !== 'file' && found?.kind !== 'other') {
    throw new GristmillError(found ? 'EISDIR' : 'ENOENT', found ? `the program ${file} is a directory; give its module` : `there is no program ${file}`, { details: { path: file } })
  }
  const bytes = await compile(disk, file)
  if (bytes.length > limits.programBytesMax) {
    throw new GristmillError('TOO_LARGE', `${basename(file)} with all that it imports has ${formatBytes(bytes.length)}; a program may have ${formatBytes(limits.programBytesMax)}. Import less, or put the data into files`, { details: { path: file } })
  }
  return { id: idOf(bytes), bytes, name: basename(file, extname(file)) }
}

export const idOf = (bytes: Uint8Array): ProgramId => programId(createHash('sha256').update(bytes).digest('hex'))

async function compile(disk: Disk, file: string): Promise<Buffer> {
  // Loaded when it is needed: most commands bundle nothing.
  const { build } = await import('esbuild')
  const options: BuildOptions & { write: false } = {
    entryPoints: [basename(file)],
    // Paths in messages, comments and the map are relative to here.
    absWorkingDir: dirname(file),
    outfile: 'program.js',
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    charset: 'utf8',
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    banner: { js: banner },
    logLevel: 'silent',
    plugins: [authoring(disk)],
  }
  try {
    const { outputFiles } = await build(options)
    const text = (extension: string): Uint8Array => outputFiles.find(({ path }) => path.endsWith(extension))!.contents
    return Buffer.concat([text('.js'), Buffer.from(`${mapMark}${Buffer.from(text('.map')).toString('base64')}\n`)])
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>
    if (!errors || errors.length === 0) throw error
    const output = errors.map(show).join('\n')
    throw new GristmillError('PROGRAM_INVALID', `${basename(file)} does not compile: ${headline(errors[0]!)}`, { cause: error, details: { path: file, output } })
  }
}

const headline = ({ location, text }: Message): string => (location ? `${place(location)}: ${text}` : text)
const place = ({ file, line, column }: NonNullable<Message['location']>): string => `${file}:${line}:${column + 1}`

/** As compilers show it: place, message, the line, and a mark under what is meant. */
function show(message: Message): string {
  const { location, notes } = message
  const lines = [`${location ? `${place(location)}: ` : ''}error: ${message.text}`]
  if (location) {
    // Tabs stay tabs, so that the mark stands where the eye looks for it.
    const before = location.lineText.slice(0, location.column).replace(/[^\t]/g, ' ')
    lines.push(`    ${location.lineText}`, `    ${before}${'^'.repeat(Math.max(1, Math.min(location.length, location.lineText.length - location.column)))}`)
  }
  // Its advice on packages that are not there concerns those who call esbuild.
  if (/^Could not resolve "[^./]/.test(message.text)) lines.push('    install the package beside the program (npm install), or correct its name')
  else for (const note of notes) lines.push(`    ${note.location ? `${place(note.location)}: ` : ''}${note.text}`)
  return lines.join('\n')
}

/** 'gristmill' in a program: this room's own files, under names that are the same wherever they lie. */
function authoring(disk: Disk): Plugin {
  const extension = extname(import.meta.url) // .ts in a checkout, .js in a package
  const namespace = 'gristmill'
  return {
    name: 'gristmill',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^gristmill$/ }, () => ({ path: 'authoring', namespace }))
      onResolve({ filter: /^\.\/[a-z]+\.[jt]s$/, namespace }, ({ path }) => ({ path: basename(path, extname(path)), namespace }))
      onLoad({ filter: /^[a-z]+$/, namespace }, async ({ path }) => ({
        contents: (await disk.readFile(fileURLToPath(new URL(`./${path}${extension}`, import.meta.url)))).toString('utf8'),
        loader: extension === '.ts' ? 'ts' : 'js',
      }))
    },
  }
}
