// Reads just enough TypeScript to find a file's imports and the names that it uses: comments and the insides of strings, templates and
// regular expressions are blanked out. Blanked text keeps the length and the line breaks of the original, so that offsets are the same in
// both.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')

export interface Source {
  /** Relative to the project, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly code: string
}

export interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
  /** `import('…')`, which loads the module when it is called. */
  readonly dynamic: boolean
  readonly line: number
}

/** All files below the given directories of the project whose names end in one of `endings`. */
export function filesBelow(directories: readonly string[], endings: readonly string[], base = root): string[] {
  return directories
    .flatMap(directory => readdirSync(join(base, directory), { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile() && endings.some(ending => entry.name.endsWith(ending)))
    .map(entry => relative(base, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter(path => !path.includes('node_modules/'))
    .sort()
}

export function readSources(directories: readonly string[], base = root): Source[] {
  return filesBelow(directories, ['.ts', '.tsx', '.js'], base).map(path => {
    const text = readFileSync(join(base, path), 'utf8')
    return { path, text, code: blank(text) }
  })
}

/** A slash starts a regular expression after an operator, an opening bracket or one of these words; else it divides. */
const beforeRegex = /(?:^|[=(,:;!&|?{}[+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|await|yield|throw|delete|instanceof|new))\s*$/

export function blank(text: string): string {
  const out = text.split('')
  const hide = (from: number, to: number) => { for (let i = from; i < to && i < out.length; i++) if (out[i] !== '\n') out[i] = ' ' }
  /** Depth of braces inside each open `${`. */
  const templates: number[] = []
  let at = 0
  const template = () => {
    const start = at
    while (at < text.length) {
      if (text[at] === '\\') at += 2
      else if (text[at] === '`') { hide(start, at); at++; return }
      else if (text[at] === '$' && text[at + 1] === '{') { hide(start, at); at += 2; templates.push(0); return }
      else at++
    }
    hide(start, at)
  }
  while (at < text.length) {
    const char = text[at]!
    const next = text[at + 1]
    if (char === '/' && next === '/') {
      const end = text.indexOf('\n', at)
      hide(at, end < 0 ? text.length : end)
      at = end < 0 ? text.length : end
    } else if (char === '/' && next === '*') {
      const end = text.indexOf('*/', at + 2)
      hide(at, end < 0 ? text.length : end + 2)
      at = end < 0 ? text.length : end + 2
    } else if (char === '\'' || char === '"') {
      const start = ++at
      while (at < text.length && text[at] !== char && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1
      hide(start, at)
      at++
    } else if (char === '`') {
      at++
      template()
    } else if (char === '/' && beforeRegex.test(out.slice(Math.max(0, at - 40), at).join(''))) {
      const start = ++at
      for (let inClass = false; at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/'); at++) {
        if (text[at] === '\\') at++
        else if (text[at] === '[') inClass = true
        else if (text[at] === ']') inClass = false
      }
      hide(start, at)
      at++
    } else if (char === '{' && templates.length > 0) {
      templates[templates.length - 1]!++
      at++
    } else if (char === '}' && templates.length > 0) {
      at++
      if (templates.at(-1)! > 0) templates[templates.length - 1]!--
      else { templates.pop(); template() }
    } else {
      at++
    }
  }
  return out.join('')
}

const statement = /\b(import|export)\b(\s+type\b)?([\s\w$*{},]*?)\bfrom\s*(['"])|\bimport\s*\(?\s*(['"])/g

/** Static, dynamic and type-only imports, and `export … from`. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = []
  for (const match of source.code.matchAll(statement)) {
    const quote = match[4] ?? match[5]!
    const start = match.index + match[0].length
    const end = source.text.indexOf(quote, start)
    found.push({
      specifier: source.text.slice(start, end),
      dynamic: /\(\s*['"]$/.test(match[0]),
      typeOnly: match[2] !== undefined || onlyTypes(match[3]),
      line: lineOf(source.text, match.index),
    })
  }
  return found
}

/** `{ type A, type B }` counts as `import type`. */
function onlyTypes(clause: string | undefined): boolean {
  const names = /^\s*\{(.*)\}\s*$/s.exec(clause ?? '')?.[1]?.split(',').map(name => name.trim()).filter(name => name !== '')
  return names !== undefined && names.length > 0 && names.every(name => name.startsWith('type '))
}

export const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length
