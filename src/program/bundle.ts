// Bundler: joins a user's module with its imports (TypeScript and npm packages, without Node's own modules) into one file with its source
// map at the end, and derives its id, the SHA-256 of these bytes. The same sources give the same bytes on every machine: the bundle
// contains no absolute path, and 'gristmill' is always the authoring module of this package, whatever version is installed beside the
// program.
//
// For a module that uses its own path (__dirname, import.meta.url), that path is replaced by the path of its assets beside the bundle
// (assets.ts); only such programs are compiled a second time. Classes keep their names. A native module is replaced by one that throws, so
// that packages with a fallback use it.

import { createHash } from 'node:crypto'
import { basename, dirname, extname, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildFailure, BuildOptions, Message, Plugin } from 'esbuild'
import { GristmillError } from '../base/errors.ts'
import { programId, type ProgramId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { formatBytes } from '../base/units.ts'
import type { Disk } from '../ports/disk.ts'
import { placeOf, upName } from './assets.ts'
import { mapMark } from './stack.ts'

export interface Bundle {
  /** SHA-256 of the bytes. */
  readonly id: ProgramId
  readonly bytes: Buffer
  /** The file's name without its extension: default name of a job. */
  readonly name: string
  /** No other file was read for it, but those of this package. */
  readonly isOneFile?: boolean
}

/** Defines `require`, which bundled CommonJS packages use for Node's own modules. Its base path is fixed: all else is in the bundle. */
const banner = `import { createRequire as gristmillRequire } from 'node:module'; const require = gristmillRequire('file:///gristmill/'); let gristmillLoading = true;`

/**
 * Helper with which esbuild keeps names: it defines a property for every function, which costs a microsecond per closure that a map
 * creates. The replacement names only functions created while the module is loaded, and classes. One line replaces one line, so that the
 * source map stays valid.
 */
const nameHelper = 'var __name = (target, value) => __defProp(target, "name", { value, configurable: true });'
const ownNameHelper =
  'var __name = (target, value) => gristmillLoading || (target.prototype && target.name !== value) ? __defProp(target, "name", { value, configurable: true }) : target;'

/** A name without an extension is a module, too. */
const sources = /(?:\.[cm]?[jt]sx?|(?:^|\/)[^./]+)$/

/** Throws PROGRAM_INVALID with the compiler's messages (`details.output`), ENOENT, TOO_LARGE. `file` is absolute. */
export async function bundleProgram({ disk }: { disk: Disk }, file: string): Promise<Bundle> {
  const found = await disk.stat(file)
  if (found?.kind !== 'file' && found?.kind !== 'other') {
    throw new GristmillError(
      found ? 'EISDIR' : 'ENOENT',
      found ? `the program ${file} is a directory; give its module` : `there is no program ${file}`,
      { details: { path: file } },
    )
  }
  if (!sources.test(file))
    throw new GristmillError(
      'PROGRAM_INVALID',
      `${basename(file)} is not a program: a program is a TypeScript or JavaScript module (.ts, .js) whose default export is ` +
      'mapReduce({ map(record, emit) { … }, … }). "gristmill init" writes one to start from, and "gristmill run --help" lists those that ' +
      'need no code',
      { details: { path: file } },
    )
  const { bytes, isOneFile } = await compile(disk, file)
  if (bytes.length > limits.programBytesMax) {
    throw new GristmillError(
      'TOO_LARGE',
      `${basename(file)} with all that it imports has ${formatBytes(bytes.length)}; a program may have ` +
      `${formatBytes(limits.programBytesMax)}. Import less, or put the data into files`,
      { details: { path: file } },
    )
  }
  return { id: idOf(bytes), bytes, name: basename(file, extname(file)), ...isOneFile && { isOneFile } }
}

export const idOf = (bytes: Uint8Array): ProgramId => programId(createHash('sha256').update(bytes).digest('hex'))

async function compile(disk: Disk, file: string): Promise<{ bytes: Buffer; isOneFile: boolean }> {
  // Loaded on demand: most commands bundle nothing.
  const { build } = await import('esbuild')
  const plugins = [authoring(disk), native]
  const options: BuildOptions & { write: false; metafile: true } = {
    entryPoints: [basename(file)],
    // Paths in messages, comments and the source map are relative to this directory.
    absWorkingDir: dirname(file),
    outfile: 'program.js',
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    charset: 'utf8',
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    keepNames: true,
    banner: { js: banner },
    footer: { js: 'gristmillLoading = false;' },
    logLevel: 'silent',
    plugins,
  }
  try {
    let { outputFiles, metafile: { inputs } } = await build(options)
    const text = (extension: string): string => outputFiles.find(({ path }) => path.endsWith(extension))!.text
    if (asksPlace.test(text('.js')))
      ({ outputFiles } = await build({
        ...options, banner: { js: `${banner} ${placeBanner}` },
        plugins: [...plugins, places(disk, dirname(file))],
      }))
    return {
      bytes: Buffer.from(`${text('.js').replace(nameHelper, ownNameHelper)}${mapMark}${Buffer.from(text('.map')).toString('base64')}\n`),
      isOneFile: Object.keys(inputs).filter(path => !path.startsWith(`${ownNamespace}:`)).length === 1,
    }
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>
    if (!errors || errors.length === 0) throw error
    const output = errors.map(show).join('\n')
    throw new GristmillError('PROGRAM_INVALID', `${basename(file)} does not compile: ${headline(errors[0]!)}`, {
      cause: error, details: { path: file, output },
    })
  }
}

const headline = ({ location, text }: Message): string => (location ? `${place(location)}: ${text}` : text)
const place = ({ file, line, column }: NonNullable<Message['location']>): string => `${file}:${line}:${column + 1}`

/** Compiler message with position, text, source line, and a marker under the faulty part. */
function show(message: Message): string {
  const { location, notes } = message
  const lines = [`${location ? `${place(location)}: ` : ''}error: ${message.text}`]
  if (location) {
    // Tabs are kept, so that the marker is aligned.
    const before = location.lineText.slice(0, location.column).replace(/[^\t]/g, ' ')
    lines.push(
      `    ${location.lineText}`,
      `    ${before}${'^'.repeat(Math.max(1, Math.min(location.length, location.lineText.length - location.column)))}`,
    )
  }
  // esbuild's notes on missing packages are for its callers and not for the program's author.
  if (/^Could not resolve "[^./]/.test(message.text))
    lines.push('    install the package beside the program (npm install), or correct its name')
  else for (const note of notes) lines.push(`    ${note.location ? `${place(note.location)}: ` : ''}${note.text}`)
  return lines.join('\n')
}

/** Replaces native modules: a binary of one machine cannot be expected to run on another one. */
const native: Plugin = {
  name: 'native',
  setup({ onResolve, onLoad, resolve }) {
    const resolving = Symbol('resolving')
    onResolve({ filter: /\.node$/ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
      if (pluginData === resolving) return undefined
      // './words.node' may be words.node.js.
      const found = await resolve(path, { kind, resolveDir, importer, pluginData: resolving })
      return found.errors.length === 0 && !found.path.endsWith('.node') ? found : { path, namespace: 'native' }
    })
    onLoad({ filter: /.*/, namespace: 'native' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`the native module ${basename(path)} does not travel with a program; use a package without it, or one that can do without it`)})`,
      loader: 'js',
    }))
  },
}

const asksPlace = /\b__(?:dirname|filename)\b|\bimport\.meta\.(?:url|dirname|filename)\b/
/** As long as `import.meta`, which it replaces, so that columns stay valid. */
const metaName = 'gristMeta__'
/** On the submitting machine paths refer to the program's own files; elsewhere to the assets beside the bundle. */
const placeBanner = `import { pathToFileURL as gristmillUrl } from 'node:url'; import { dirname as gristmillDirname, join as gristmillJoin } from 'node:path'; ` +
  `const gristmillHere = globalThis[Symbol.for('gristmill.place')]; ` +
  `const gristmillPlace = path => gristmillHere === undefined ? gristmillJoin(import.meta.filename.replace(/\\.mjs$/, '.assets'), path) : gristmillJoin(gristmillHere, path.replaceAll('${upName}', '..')); ` +
  `const gristmillMeta = path => { const filename = gristmillPlace(path); return { url: gristmillUrl(filename).href, filename, dirname: gristmillDirname(filename) } };`

/**
 * Matches a module's own variable of this name: declared alone, after others, destructured or imported. A TypeScript `declare` is none.
 */
const declarationOf = (name: string): RegExp =>
  new RegExp(
    `(?<!\\bdeclare\\s+)\\b(?:const|let|var|function)\\s+${name}\\b|(?<![.\\w])${name}\\s*=(?![=>])|\\b(?:import|const|let|var)\\s*(?:[\\w$]+\\s*,\\s*)?\\{[^}]*\\b${name}\\b`,
  )

/** Gives each module that uses its own path that path, relative to the program's directory. */
function places(disk: Disk, directory: string): Plugin {
  return {
    name: 'places',
    setup({ onLoad }) {
      onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: 'file' }, async ({ path }) => {
        const source = (await disk.readFile(path)).toString('utf8')
        if (!asksPlace.test(source)) return undefined
        const own = JSON.stringify(placeOf(relative(directory, path)))
        const declared = (name: string): boolean => declarationOf(name).test(source)
        const made = [
          `${metaName} = gristmillMeta(${own})`,
          ...(['dirname', 'filename'] as const).filter(name => !declared(`__${name}`)).map(name => `__${name} = ${metaName}.${name}`),
        ]
        const text = source.replace(/^#!.*/, '').replace(/\bimport\.meta(?=\.(?:url|dirname|filename)\b)/g, metaName)
        const kind = extname(path).replace(/^\.[cm]?/, '')
        return { contents: `const ${made.join(', ')}; ${text}`, loader: kind as 'js' | 'jsx' | 'ts' | 'tsx', resolveDir: dirname(path) }
      })
    },
  }
}

/** Modules that programs import, as files relative to this directory, without extensions. */
const modules: Readonly<Record<string, string>> = {
  gristmill: 'authoring', 'gristmill/ml': '../ml/index', 'gristmill/frame': '../../client/frame/index',
}
/** Namespace of these modules in the compiler. */
const ownNamespace = 'gristmill'
/** Files that they import. */
const ownFile = /^((\.\.\/(base|ml)|\.\.\/\.\.\/client\/(frame|sql|call))\/)?[a-z]+$/

/**
 * Resolves 'gristmill', 'gristmill/ml' and 'gristmill/frame' in a program to files of this package, under names relative to this directory,
 * which do not depend on where the package lies.
 */
function authoring(disk: Disk): Plugin {
  const extension = extname(import.meta.url) // .ts in a checkout, .js in a package
  const namespace = ownNamespace
  return {
    name: 'gristmill',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^gristmill(\/(ml|frame))?$/ }, ({ path }) => ({ path: modules[path]!, namespace }))
      onResolve({ filter: /^\.\.?\/[a-z./]+\.[jt]s$/, namespace }, ({ path, importer }) => {
        const joined = posix.join(posix.dirname(importer.replace(/^gristmill:/, '')), path).replace(/\.[jt]s$/, '')
        // A file has one name, however it is reached.
        return { path: joined.replace(/^\.\.\/\.\.\/src\//, '../').replace(/^\.\.\/program\//, ''), namespace }
      })
      onLoad({ filter: ownFile, namespace }, async ({ path }) => ({
        contents: (await disk.readFile(fileURLToPath(new URL(`./${path}${extension}`, import.meta.url)))).toString('utf8'),
        loader: extension === '.ts' ? 'ts' : 'js',
      }))
    },
  }
}
