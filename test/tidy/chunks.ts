// Main file of a bundle as one file of functions, one for each chunk: the modules that the same commands import. A function is compiled,
// and its modules run, when a command needs them. In a file without chunks the functions of all modules stand side by side: each process
// deserializes their names and makes their closures, some 15,000, which was a fifth of the processor time of `--version`.
// INVARIANT: a chunk runs after the chunks that it imports, and once; `import()` of a chunk returns its exports.

import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec'
import { build, type BuildOptions, type Metafile } from 'esbuild'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

interface Chunked {
  readonly code: string
  /** Source map of `code`, as JSON; sources are relative to the directory of the bundle. */
  readonly map: string
  readonly metafile: Metafile
}

interface Chunk {
  readonly name: string
  readonly code: string
  readonly map: { readonly sources: readonly string[]; readonly mappings: string }
}

interface Where {
  readonly absWorkingDir: string
  readonly outdir: string
  readonly metafile: true
}

/** Of as many letters as `import`, so that columns stay valid. */
const importing = '$chunk'

/** `options`: those of one entry point with the name `entry`, written nowhere. */
export async function chunked(entry: string, options: BuildOptions & Where): Promise<Chunked> {
  const split = await build({
    ...options, format: 'esm', splitting: true, write: false, outExtension: { '.js': '.mjs' }, sourcemap: true,
  })
  refuseAssigned(Object.keys(split.metafile.inputs).map(input => join(options.absWorkingDir, input)))
  const texts = new Map(split.outputFiles.map(({ path, text }) => [`./${basename(path)}`, text]))
  const outputs = Object.entries(split.metafile.outputs).filter(([path]) => path.endsWith('.mjs'))
  const chunks = outputs.map(([path, output]): Chunk => {
    const name = `./${basename(path)}`
    const imported = new Set(output.imports.map(each => (each.external === true ? each.path : `./${basename(each.path)}`)))
    return { name, code: asFunction(texts.get(name)!, imported), map: JSON.parse(texts.get(`${name}.map`)!) as Chunk['map'] }
  })
  return { ...packed(`./${entry}.mjs`, chunks), metafile: split.metafile }
}

/** Another chunk would keep the value that such an export had first. Inputs that are no files are skipped. */
function refuseAssigned(paths: readonly string[]): void {
  for (const path of paths) {
    if (!existsSync(path)) continue
    const found = /^export (?:let|var) (?<name>[\w$]+)/m.exec(readFileSync(path, 'utf8'))
    if (found) throw new Error(`${path} exports the variable ${found.groups!['name']}, which a bundle reads once: export a function`)
  }
}

/** Imports as esbuild writes them, at the beginning of a line; of all exports it makes one statement, the last of the file. */
const imports = /^import (?:(?<whole>[\w$]+)(?:, )?)?(?:\{(?<some>[^}]*)\})?(?: from )?"(?<path>[^"]+)";$/gm
const dynamic = /\bimport\("(?<path>\.\/[\w-]+\.mjs)"\)/g
const exported = /^export \{(?<some>[^}]*)\};\n(?:\/\/# sourceMappingURL=.*\n)?(?![^])/m

/**
 * The text of a module as that of a function, line by line. An imported name is a variable, since a module has its values once it has run:
 * no export is assigned later (refuseAssigned). The default export of a builtin or a package is all of it, as for Node.
 * `imported`: paths that the module imports; a line of a text that looks like an import names another one.
 */
function asFunction(text: string, imported: ReadonlySet<string>): string {
  const swapped = (some: string, pair: string): string => some.replace(/([\w$]+) as ([\w$]+)/g, pair)
  return text
    .replace(exported, (_, some: string) => `module.exports = {${swapped(some, '$2: $1')}};\n`)
    .replace(imports, (all: string, whole: string | undefined, some: string | undefined, path: string) => {
      if (!imported.has(path)) return all
      const required = `require("${path}");`
      const names = [...whole === undefined ? [] : [whole], ...some === undefined ? [] : [`{${swapped(some, '$1: $2')}}`]]
      return names.length === 0 ? required : names.map(each => `var ${each} = ${required}`).join('')
    })
    .replace(dynamic, (all: string, path: string) => (imported.has(path) ? `${importing}("${path}")` : all))
}

const loader = `"use strict";
var chunks = Object.create(null), loaded = Object.create(null), ${importing} = name => Promise.resolve().then(() => load(name));
function load(name) {
  if (loaded[name] !== undefined) return loaded[name].exports;
  if (chunks[name] === undefined) return require(name);
  const module = loaded[name] = { exports: {} };
  try {
    chunks[name](module, load);
  } catch (error) {
    loaded[name] = { get exports() { throw error; } };
    throw error;
  }
  return module.exports;
}
`

function packed(entry: string, chunks: readonly Chunk[]): Pick<Chunked, 'code' | 'map'> {
  const lines = [loader.trimEnd()]
  const mapped: SourceMapSegment[][] = loader.trimEnd().split('\n').map(() => [])
  const numbers = new Map<string, number>()
  const numberOf = (source: string): number => {
    const known = numbers.get(source)
    if (known === undefined) numbers.set(source, numbers.size)
    return known ?? numbers.size - 1
  }
  for (const { name, code, map } of chunks.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const body = code.trimEnd().split('\n')
    const sources = map.sources.map(numberOf)
    const segments = decode(map.mappings)
    lines.push(`chunks["${name}"] = function (module, require) {`, ...body, '};')
    mapped.push([], ...body.map((_, i) => (segments[i] ?? []).map((segment): SourceMapSegment =>
      (segment.length === 1 ? segment : [segment[0], sources[segment[1]]!, segment[2], segment[3]]))), [])
  }
  lines.push(`module.exports = load("${entry}");`, '')
  return {
    code: lines.join('\n'),
    map: JSON.stringify({ version: 3, sources: [...numbers.keys()], names: [], mappings: encode(mapped) }),
  }
}
