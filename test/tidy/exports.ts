// Exports of the product's files and their importers, read from the module records of a parser.

import { parseSync, type EcmaScriptModule } from 'oxc-parser'
import { posix } from 'node:path'
import { importsOf, type Source } from './source.ts'

interface Export { readonly name: string; readonly isType: boolean; readonly path: string }

const records = new WeakMap<Source, EcmaScriptModule>()

function recordOf(source: Source): EcmaScriptModule {
  const record = records.get(source) ?? parseSync(source.path, source.text).module
  records.set(source, record)
  return record
}

/** Names that the file exports itself, without those that it passes on from other files. */
const exportsOf = (source: Source): Export[] => recordOf(source).staticExports.flatMap(({ start, entries }) =>
  entries.filter(({ moduleRequest, exportName }) => !moduleRequest && exportName.name !== null).map(({ exportName, isType }) => ({
    name: exportName.name!,
    isType: isType || /^export (abstract )?(class|enum) /.test(source.text.slice(start)),
    path: source.path,
  })))

/** Type names that several files export, with these files: a name has one meaning. */
export function sharedTypeNames(sources: readonly Source[]): string[] {
  const paths = new Map<string, string[]>()
  for (const { name, isType, path } of sources.flatMap(exportsOf)) if (isType) paths.set(name, [...paths.get(name) ?? [], path])
  return [...paths].filter(([, where]) => where.length > 1).map(([name, where]) => `${name}: ${where.join(', ')}`)
}

/** Exports of `sources` that no other file imports. A file that takes a module as a whole (`import()`, `import *`) uses what it names. */
export function unusedExports(sources: readonly Source[], importers: readonly Source[]): Export[] {
  const byPath = new Map(sources.map(source => [source.path, exportsOf(source)]))
  const used = new Set<string>()
  for (const source of importers) {
    const targetOf = (specifier: string): string => posix.join(posix.dirname(source.path), specifier)
    const { staticImports, staticExports } = recordOf(source)
    const taken = new Set(importsOf(source).filter(one => one.dynamic).map(one => targetOf(one.specifier)))
    for (const { moduleRequest, entries } of staticImports) {
      for (const { importName } of entries) {
        if (importName.name === null) taken.add(targetOf(moduleRequest.value))
        else used.add(`${targetOf(moduleRequest.value)} ${importName.name}`)
      }
    }
    for (const { moduleRequest, importName } of staticExports.flatMap(({ entries }) => entries)) {
      if (!moduleRequest) continue
      const target = targetOf(moduleRequest.value)
      for (const { name } of byPath.get(target) ?? [])
        if (importName.name === null || importName.name === name) used.add(`${target} ${name}`)
    }
    const words = taken.size === 0 ? new Set() : new Set(source.text.match(/[\w$]+/g))
    for (const target of taken)
      for (const { name } of byPath.get(target) ?? []) if (words.has(name)) used.add(`${target} ${name}`)
  }
  return [...byPath.values()].flat().filter(({ name, path }) => !used.has(`${path} ${name}`))
}
