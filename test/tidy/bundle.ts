// The program in a few files instead of some 500: Node takes about a third of a millisecond for each module that it looks up, reads
// and links, which is most of the time in which a command starts. A package carries a bundle (`npm run build`); a checkout keeps one
// beside its packages, made by the tests' setup, with a list of the sources that it was made from: client/cli/gristmill.js starts it only
// while each of them is the same, and the sources otherwise.
//
// One file for each main file, of CommonJS: there a module runs when it is first asked for, and a builtin or a package loads then. One
// file for each package, which the main files share. Packages with machine code stay where they are installed.

import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { blank, root } from './source.ts'

/** Where processes begin, and what their files are called in a bundle. */
export const mains = [['client/cli/main', 'cli'], ['client/load/main', 'loader'], ['datanode/executor/main', 'executor']] as const

/** They find their machine code by their own place. */
const native = new Set(['@node-rs/crc32', 'esbuild', 'lmdb', 'msgpackr'])

/** What a checkout's bundles are kept in; client/cli/gristmill.js knows it too. */
const keptIn = join(root, 'node_modules/.cache/gristmill')
const keptMs = 24 * 3_600_000
/** A file that was written less than a tick of the disk's clock before it was read may be written again with the same times. */
const tickMs = 200

/** A file as it was: path from the project's root, size, and the times of its content and of its entry on disk. */
type Seen = readonly [path: string, size: number, mtimeMs: number, ctimeMs: number]

export interface Bundling {
  /** Where the main files and their rooms lie: the project, or its package as it is built. */
  readonly from: string
  readonly extension: '.ts' | '.js'
  /** A directory below `from`, made if it is missing. */
  readonly out: string
}

/** Writes the bundle. Returns the files that it was made from, relative to the project. */
export async function bundle({ from, extension, out }: Bundling): Promise<string[]> {
  mkdirSync(out, { recursive: true })
  const common = {
    absWorkingDir: root, outdir: out, bundle: true, format: 'cjs', platform: 'node', target: 'node24',
    nodePaths: [join(root, 'node_modules')], outExtension: { '.js': '.cjs' }, metafile: true, logLevel: 'warning', minifySyntax: true,
    sourcemap: false,
  } satisfies BuildOptions
  const packages = new Map<string, string>()
  const own = await build({
    ...common, sourcemap: true, sourcesContent: false,
    entryPoints: Object.fromEntries(mains.map(([path, name]) => [name, join(from, `${path}${extension}`)])),
    plugins: [elsewhere(specifier => packages.set(specifier, nameOf(specifier)).get(specifier)), places({ from, out })],
  })
  const theirs = await build({
    ...common, entryPoints: Object.fromEntries([...packages].map(([specifier, name]) => [name, specifier])),
    plugins: [elsewhere(specifier => packages.get(specifier))],
  })
  const inputs = [...Object.keys(own.metafile.inputs), ...Object.keys(theirs.metafile.inputs)]
  writeFileSync(join(out, 'LICENSES.txt'), licensesOf(theirs.metafile))
  return [...new Set(inputs)].sort()
}

const nameOf = (specifier: string): string => specifier.replace(/^@/, '').replaceAll('/', '-').replace(/\.js$/, '')

/** Packages have files of their own, `fileOf` says which; undefined: it lies in the same file. */
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

/** A main file that is started by its place, or a place asked for. */
const asked = /new URL\(\s*['"](?<main>\.{1,2}\/[^'"]+)['"]\s*,\s*import\.meta\.url\s*\)|import\.meta\.url/g

/** A module that asks for its own place gets the one that it has outside of the bundle; a main file that it starts is the bundle's. */
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
          if (code.slice(at, at + all.length).trim() === '') return all // a comment, or the inside of a string
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

/** The packages within the bundle, and the terms on which they may be there. */
function licensesOf({ inputs }: Metafile): string {
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

/** The checkout's own bundle: made if there is none that is fresh. While somebody writes to the sources there is none. */
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
    const inputs = await bundle({ from: root, extension: '.ts', out: made })
    // Packages change when npm changes them, which it notes there; to look at each of their files would take as long as it saves.
    const seen = [
      ...inputs.filter(path => !path.startsWith('node_modules/')),
      'node_modules/.package-lock.json', relative(root, import.meta.filename),
    ].map(look)
    if (seen.some(([, , mtimeMs, ctimeMs]) => Math.max(mtimeMs, ctimeMs) > begun - tickMs)) return
    const dir = `bundle-${digestOf(made)}`
    if (existsSync(join(keptIn, dir))) rmSync(made, { recursive: true })
    else renameSync(made, join(keptIn, dir))
    writeFileSync(`${list}.${process.pid}`, JSON.stringify({ dir, files: seen }))
    renameSync(`${list}.${process.pid}`, list)
    removeOld(dir)
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

function look(path: string): Seen {
  const { size, mtimeMs, ctimeMs } = statSync(join(root, path))
  return [path, size, mtimeMs, ctimeMs]
}

/** As client/cli/gristmill.js has it, which is written for any Node. */
function isFresh(list: string): boolean {
  if (!existsSync(list)) return false
  const { files } = JSON.parse(readFileSync(list, 'utf8')) as { files: Seen[] }
  return files.every(([path, ...facts]) => existsSync(join(root, path)) && look(path).slice(1).every((fact, i) => fact === facts[i]))
}

function digestOf(directory: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(directory).sort()) hash.update(name).update(readFileSync(join(directory, name)))
  return hash.digest('hex').slice(0, 16)
}

/** Processes of an earlier one may still load from it. */
function removeOld(current: string): void {
  for (const name of readdirSync(keptIn)) {
    const path = join(keptIn, name)
    if (/^(bundle|making)-/.test(name) && name !== current && statSync(path).mtimeMs < Date.now() - keptMs)
      rmSync(path, { recursive: true, force: true })
  }
}

/** vitest's global setup: tests start what users get. */
export default keepBundle

if (import.meta.main) await keepBundle().then(() => console.log(`${basename(keptIn)}: the bundle is fresh`))
