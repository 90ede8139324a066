// npm run build: emits dist/, a complete package that can be packed and installed anywhere: JavaScript and types, the sources that stacks
// and debuggers name, the bin, the bundle that the bin starts, README, LICENSE, docs/, and a package.json without development entries.
// REQUIRES: runs on the project's own Node. Replaces dist/ whole.

import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix, relative, resolve } from 'node:path'
import { bundlePage } from '../../client/console/bundle.ts'
import { built } from '../../client/console/assets.ts'
import { bundle, licensesOf, mains } from './bundle.ts'
import { version } from '../../src/base/version.ts'
import { blank, filesBelow, root } from './source.ts'

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

/** Fields of package.json that go into the package. Its version is that of src/base/version.ts. */
const published = [
  'name', 'description', 'license', 'keywords', 'type', 'engines', 'bin', 'dependencies', 'peerDependencies',
  'peerDependenciesMeta',
]
/** Files and directories that are in the package as they are. */
export const copied = ['README.md', 'LICENSE', 'docs'] as const
/** Optional dependencies that are for development only: the Node of this project. */
const ownNode = /^node-/

/** Main files of processes, started by URL: the compiler does not see these as imports. */
const startedUrl = /(new URL\(\s*)(['"`])(\.{1,2}\/[^'"`]+)\.ts\2(\s*,\s*import\.meta\.url)/g

interface BuildOptions {
  /** The types have been checked, or are being checked: the same files are emitted in half the time. */
  readonly isChecked?: boolean
}

export async function build(out = join(root, 'dist'), { isChecked = false }: BuildOptions = {}): Promise<void> {
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out)
  const tsc = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json'), '--outDir', out, '--checkers', '1',
      ...isChecked ? ['--noCheck'] : [],
    ],
    { encoding: 'utf8' },
  )
  if (tsc.status !== 0) throw new Error(`the sources do not compile:\n${tsc.stdout}${tsc.stderr}`)

  for (const path of filesBelow(['.'], ['.js'], out)) {
    const file = join(out, path)
    const text = readFileSync(file, 'utf8')
    const fixed = text.replaceAll(startedUrl, '$1$2$3.js$2$4')
    if (fixed !== text) writeFileSync(file, fixed)
    const left = /(?:from|import|new URL)\s*\(?\s*['"]\.{1,2}\/[^'"]*\.ts['"]/.exec(fixed)
    if (left && blank(fixed)[left.index] !== ' ') throw new Error(`${path} still names a TypeScript file: ${left[0]}`)
  }

  addSources(out)
  await bundle({ from: out, extension: '.js', out: join(out, 'bundle') })
  startBundled(out)
  await buildPage(join(out, 'client/console/assets'))

  for (const name of ['gristmill.js', 'codecache.js', 'stacks.js']) cpSync(join(root, 'client/cli', name), join(out, 'client/cli', name))
  chmodSync(join(out, 'client/cli/gristmill.js'), 0o755)
  for (const name of copied) cpSync(join(root, name), join(out, name), { recursive: true })
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest(out), undefined, 2)}\n`)
}

/**
 * The TypeScript that source maps name. In a directory of its own: beside its declarations, a user's compiler would take and check it in
 * place of them.
 */
function addSources(out: string): void {
  for (const path of filesBelow(['.'], ['.js.map'], out)) {
    const file = join(out, path)
    const map = JSON.parse(readFileSync(file, 'utf8')) as { sources: readonly string[] }
    const sources = map.sources.map(source => {
      const own = relative(root, resolve(dirname(file), source))
      cpSync(join(root, own), join(out, 'sources', own))
      return posix.relative(posix.dirname(path), `sources/${own}`)
    })
    writeFileSync(file, JSON.stringify({ ...map, sources }))
  }
}

/** Script and styles of the console, with the licenses of the packages in them. */
async function buildPage(dir: string): Promise<void> {
  const { script, styles, metafile } = await bundlePage(join(root, 'client/console/page'))
  mkdirSync(dir)
  writeFileSync(join(dir, built.script), script)
  writeFileSync(join(dir, built.styles), styles)
  writeFileSync(join(dir, 'LICENSES.txt'), licensesOf(metafile))
}

/** The library starts its processes from the bundle, as the command line does. */
function startBundled(out: string): void {
  for (const path of filesBelow(['client', 'datanode'], ['.js'], out)) {
    const file = join(out, path)
    const text = readFileSync(file, 'utf8')
    const fixed = text.replaceAll(/(new URL\(\s*['"])(\.[^'"]+)(?=['"]\s*,\s*import\.meta\.url)/g, (all, head: string, target: string) => {
      const main = mains.find(([main]) => posix.join(posix.dirname(path), target) === `${main}.js`)
      return main ? `${head}${posix.relative(posix.dirname(path), `bundle/${main[1]}.cjs`)}` : all
    })
    if (fixed !== text) writeFileSync(file, fixed)
  }
}

function manifest(out: string): Record<string, unknown> {
  const source = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
  const entries = Object.entries(source.exports).flatMap(([name, path]): [string, unknown][] => {
    if (!path.endsWith('.ts')) return [[name, path]]
    const stem = path.slice(0, -'.ts'.length)
    // Entries that exist for development only are left out.
    return existsSync(join(out, `${stem}.js`)) ? [[name, { types: `${stem}.d.ts`, default: `${stem}.js` }]] : []
  })
  const optionalDependencies = Object.fromEntries(
    Object.entries(source['optionalDependencies'] as Record<string, string>).filter(([name]) => !ownNode.test(name)),
  )
  const { name, ...fields } = Object.fromEntries(published.map(field => [field, source[field]]))
  return { name, version, ...fields, optionalDependencies, exports: Object.fromEntries(entries) }
}

if (import.meta.main) {
  await build()
  console.log('build: dist/ is ready; npm pack ./dist makes the package')
}
