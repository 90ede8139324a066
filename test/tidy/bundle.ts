// Bundles the program into a few files instead of some 500: Node takes about a third of a millisecond to find, read and link a module,
// which is most of the start time of a command. A package contains a bundle (`npm run build`); a checkout keeps one beside its packages,
// made by the tests' setup, with a list of its source files and its own: client/cli/gristmill.js starts it only while all of them are
// unchanged, and the sources otherwise.
//
// One CommonJS file for each main file: a CommonJS module runs when it is first required, and builtins and packages load only then. That of
// the commands is in chunks (chunks.ts). One file for each package, shared by the main files. Packages with native code stay where they are
// installed.

import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { chunked } from './chunks.ts'
import { isVirtual, later, laterPackages } from './later.ts'
import { parser } from './parser.ts'
import { inSections, ofFiles } from './sections.ts'
import { blank, root } from './source.ts'

/** Main files of processes, and their names in a bundle. */
export const mains = [
  ['client/cli/main', 'cli'], ['client/load/main', 'loader'], ['client/driving/main', 'driver'], ['datanode/executor/main', 'executor'],
] as const

/** What only tests start or import, each with the whole library; not in a package. */
const ofTests = {
  peer: ['test/cluster/child/embedded', 'embedded'], library: ['client/index', 'library'], kit: ['test/kit/index', 'kit'],
} as const

/** Packages that find their native code relative to their own path. */
const native = new Set(['@duckdb/node-api', '@node-rs/crc32', 'esbuild', 'lmdb', 'msgpackr', 'pg', 'pg-copy-streams'])

/** Directory of a checkout's bundles; client/cli/gristmill.js uses the same path. */
const keptIn = join(root, 'node_modules/.cache/gristmill')
/** Directory of compiled sources, for processes that tests start from the sources again and again. */
export const compiledIn = join(keptIn, 'compiled')
const keptMs = 24 * 3_600_000
/** A file written less than a tick of the disk's clock before it was read may be written again with the same times. */
const tickMs = 200

/** State of a source file: path from the project's root, size, and the times of its content and of its directory entry. */
type Seen = readonly [path: string, size: number, mtimeMs: number, ctimeMs: number]

export interface Bundling {
  /** Root of the main files and rooms: the project, or the built package. */
  readonly from: string
  readonly extension: '.ts' | '.js'
  /** A directory below `from`, made if it is missing. */
  readonly out: string
  /** More main files, and their names in the bundle. */
  readonly also?: ReadonlyArray<readonly [path: string, name: string]>
}

/** Writes the bundle. Returns the files that it was made from, relative to the project. */
export async function bundle({ from, extension, out, also = [] }: Bundling): Promise<string[]> {
  mkdirSync(out, { recursive: true })
  const common = {
    absWorkingDir: root, outdir: out, bundle: true, format: 'cjs', platform: 'node', target: 'node24',
    nodePaths: [join(root, 'node_modules')], outExtension: { '.js': '.cjs' }, metafile: true, logLevel: 'warning', minifySyntax: true,
    sourcemap: false,
  } satisfies BuildOptions
  const packages = new Map<string, string>()
  const [[cli, main], ...others] = mains
  const ours = (entries: ReadonlyArray<readonly [path: string, name: string]>) => ({
    ...common, sourcemap: true, sourcesContent: false,
    entryPoints: Object.fromEntries(entries.map(([path, name]) => [name, join(from, `${path}${extension}`)])),
    plugins: [
      kit, laterPackages(), elsewhere(specifier => packages.set(specifier, nameOf(specifier)).get(specifier)), places({ from, out }),
    ],
  } satisfies BuildOptions)
  const own = await build(ours([...others, ...also]))
  const commands = await chunked(main, ours([[cli, main]]))
  writeFileSync(join(out, `${main}.cjs`), commands.code)
  const map = join(out, `${main}.cjs.map`)
  writeFileSync(map, inSections(ofFiles(commands.map)))
  for (const [, name] of [...others, ...also]) {
    const path = join(out, `${name}.cjs.map`)
    writeFileSync(path, ofFiles(readFileSync(path, 'utf8')))
  }
  const theirs = await build({
    ...common, entryPoints: Object.fromEntries([...packages].map(([specifier, name]) => [name, specifier])),
    plugins: [later(), parser(), elsewhere(specifier => packages.get(specifier))],
  })
  const inputs = [own, commands, theirs].flatMap(({ metafile }) => Object.keys(metafile.inputs)).filter(input => !isVirtual(input))
  for (const name of readdirSync(out)) if (name.endsWith('.cjs')) escapeIn(join(out, name))
  writeFileSync(join(out, 'LICENSES.txt'), licensesOf(theirs.metafile))
  return [...new Set(inputs)].sort()
}

/** V8 keeps two bytes for each character of a file that has one beyond ASCII. esbuild escapes them in strings; comments have some left. */
function escapeIn(path: string): void {
  const text = readFileSync(path, 'utf8')
  const escaped = text.replace(/[\u0080-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  if (escaped !== text) writeFileSync(path, escaped)
}

const nameOf = (specifier: string): string => specifier.replace(/^@/, '').replaceAll('/', '-').replace(/\.js$/, '')

/** Packages have files of their own, named by `fileOf`; undefined: the package is in the same file. */
function elsewhere(fileOf: (specifier: string) => string | undefined): Plugin {
  return {
    name: 'packages',
    setup({ onResolve }) {
      onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        if (kind === 'entry-point') return undefined
        if (path.startsWith('node:') || native.has(path)) return { path, external: true }
        const file = fileOf(path)
        return file === undefined ? undefined : { path: `./${file}.cjs`, external: true }
      })
    },
  }
}

/** The test kit imports the library by its name. Its simulation stays in the sources: it tells files apart by the stacks of errors. */
const kit: Plugin = {
  name: 'kit',
  setup({ onResolve }) {
    onResolve({ filter: /^gristmill$/ }, () => ({ path: join(root, 'client/index.ts') }))
    onResolve({ filter: /^\.\/sim\/cluster\.ts$/ }, ({ path, resolveDir }) =>
      ({ path: pathToFileURL(join(resolveDir, path)).href, external: true }))
  },
}

/** Matches a main file started by URL, or a use of the module's own URL. */
const asked = /new URL\(\s*['"](?<main>\.{1,2}\/[^'"]+)['"]\s*,\s*import\.meta\.url\s*\)|import\.meta\.url/g

/** A module that uses its own URL gets its URL outside of the bundle; a main file that it starts is the bundle's. */
function places({ from, out }: Pick<Bundling, 'from' | 'out'>): Plugin {
  const urlOf = (path: string): string => `require('node:url').pathToFileURL(require('node:path').join(__dirname, ${JSON.stringify(path)}))`
  return {
    name: 'places',
    setup({ onLoad }) {
      onLoad({ filter: /\.[tj]s$/ }, ({ path }) => {
        if (!path.startsWith(from) || path.includes('/node_modules/')) return undefined
        const text = readFileSync(path, 'utf8')
        if (!text.includes('import.meta')) return undefined
        const code = blank(text)
        const placed = (all: string, at: number, target: string | undefined): string => {
          if (code.slice(at, at + all.length).trim() === '') return all // a comment, or inside a string
          const main =
            target === undefined
              ? undefined
              : mains.find(([main]) => relative(from, join(dirname(path), target)).replace(/\.[tj]s$/, '') === main)
          return main ? urlOf(`${main[1]}.cjs`) : all.replace('import.meta.url', `${urlOf(relative(out, path))}.href`)
        }
        const contents = text.replace(asked, (all: string, target: string | undefined, at: number) => placed(all, at, target))
        if (blank(contents).includes('import.meta')) throw new Error(`${path} asks import.meta for what a bundle cannot give`)
        return { contents, loader: path.endsWith('.ts') ? 'ts' : 'js' }
      })
    },
  }
}

/** Names and license texts of the packages within the bundle. */
export function licensesOf({ inputs }: Metafile): string {
  const found = new Map<string, string>()
  for (const path of Object.keys(inputs)) {
    const directory = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]
    if (directory === undefined || found.has(directory)) continue
    const { name, version, license } = JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8')) as Record<string, unknown>
    const file = readdirSync(join(root, directory)).find(entry => /^licen[cs]e(\.\w+)?$/i.test(entry))
    found.set(
      directory,
      `${name} ${version}: ${license}\n\n${file === undefined ? '' : readFileSync(join(root, directory, file), 'utf8').trim()}\n`,
    )
  }
  return [...found.values()].sort().join(`\n${'-'.repeat(80)}\n\n`)
}

/** Makes the checkout's own bundle if none is fresh. If the sources change meanwhile, no bundle is kept. */
export async function keepBundle(): Promise<void> {
  const list = join(keptIn, 'bundle.json')
  for (let tries = 0; tries < 3 && !isFresh(list); tries++) {
    if (tries > 0) await setTimeout(tickMs)
    await make(list)
  }
}

async function make(list: string): Promise<void> {
  const made = join(keptIn, `making-${process.pid}`)
  const begun = Date.now()
  try {
    const inputs = await bundle({ from: root, extension: '.ts', out: made, also: Object.values(ofTests) })
    // npm notes changes of packages in this file; checking each of their files would take as long as the bundle saves.
    const seen = [
      ...inputs.filter(path => !path.startsWith('node_modules/')),
      'node_modules/.package-lock.json', ...['bundle', 'chunks', 'later', 'parser', 'sections'].map(name => `test/tidy/${name}.ts`),
    ].map(look)
    if (seen.some(([, , mtimeMs, ctimeMs]) => Math.max(mtimeMs, ctimeMs) > begun - tickMs)) return
    const dir = `bundle-${digestOf(made)}`
    const names = readdirSync(made)
    place(made, join(keptIn, dir))
    const own = names.map(name => look(relative(root, join(keptIn, dir, name))))
    writeFileSync(`${list}.${process.pid}`, JSON.stringify({ dir, files: [...seen, ...own] }))
    renameSync(`${list}.${process.pid}`, list)
    removeOld(dir)
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

/** Moves a bundle to its place. Of one that is there already, only files that are missing or damaged are replaced: it may be in use. */
function place(made: string, at: string): void {
  if (!existsSync(at)) return renameSync(made, at)
  for (const name of readdirSync(made)) {
    const [fresh, there] = [join(made, name), join(at, name)]
    if (!existsSync(there) || !readFileSync(there).equals(readFileSync(fresh))) renameSync(fresh, there)
  }
}

function look(path: string): Seen {
  const { size, mtimeMs, ctimeMs } = statSync(join(root, path))
  return [path, size, mtimeMs, ctimeMs]
}

/** Directory of the checkout's bundle; undefined if there is none of the present sources. */
export function freshBundle(): string | undefined {
  const list = join(keptIn, 'bundle.json')
  return isFresh(list) ? join(keptIn, (JSON.parse(readFileSync(list, 'utf8')) as { dir: string }).dir) : undefined
}

/**
 * The program of peer.ts, the library, or the test kit, from the bundle: from the sources they take a processor second to load, and the
 * executors that they start three times as long as the bundle's.
 */
export function bundled(what: keyof typeof ofTests): string {
  const [path, name] = ofTests[what]
  const dir = freshBundle()
  return dir === undefined ? join(root, `${path}.ts`) : join(dir, `${name}.cjs`)
}

/** Same check as in client/cli/gristmill.js, which is written for any Node. A list that cannot be read names no fresh bundle. */
function isFresh(list: string): boolean {
  try {
    const { dir, files } = JSON.parse(readFileSync(list, 'utf8')) as { dir: string; files: Seen[] }
    const cli = relative(root, join(keptIn, dir, 'cli.cjs'))
    return files.some(([path]) => path === cli)
      && files.every(([path, ...facts]) => look(path).slice(1).every((fact, i) => fact === facts[i]))
  } catch {
    return false
  }
}

function digestOf(directory: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(directory).sort()) hash.update(name).update(readFileSync(join(directory, name)))
  return hash.digest('hex').slice(0, 16)
}

/** Keeps those in use: each process that was started from one marks it every hour (client/cli/gristmill.js). */
function removeOld(current: string): void {
  for (const name of readdirSync(keptIn)) {
    const path = join(keptIn, name)
    if (/^(bundle|making)-/.test(name) && name !== current && statSync(path).mtimeMs < Date.now() - keptMs)
      rmSync(path, { recursive: true, force: true })
  }
}

/** Global setup of vitest: tests start the same bundle as users. */
export default keepBundle

if (import.meta.main) await keepBundle().then(() => console.log(`${basename(keptIn)}: the bundle is fresh`))
