// Maps stacks of a program's errors to the author's source files and leaves out all other frames. Source maps are parsed only when an
// error is thrown.

import { isAbsolute } from 'node:path'
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping'
import { showValue } from '../base/show.ts'
import { upName } from './assets.ts'

interface Described {
  /** `RangeError: out of grain`. */
  readonly message: string
  /** The message, then one line per frame, such as `    at grind (mill.ts:12:7)`; undefined if no frame is the program's. */
  readonly stack: string | undefined
}

/** Marks the source map at the end of a bundle. Not the standard mark: a runtime that maps stacks itself would map them twice. */
export const mapMark = '//# gristmillMap='
const frameForm = /^\s*at (?:(async )?(.+?) \()?(.+?):(\d+):(\d+)\)?$/
const framesMax = 30
/** Bounds, because an error of a program may hold anything. */
const messageCharsMax = 8_000
const causesMax = 3
/** System calls of Node's errors, of functions that read files and directories. */
const readingCalls: ReadonlySet<string> = new Set([
  'open', 'stat', 'lstat', 'statx', 'access', 'scandir', 'opendir', 'copyfile', 'readlink', 'realpath',
])

export class StackMapper {
  readonly #url: string
  readonly #bundle: string
  #map: TraceMap | undefined

  /** `url`: URL from which the module was loaded; its query is ignored. */
  constructor(url: string, bundle: string) {
    this.#url = plain(url)
    this.#bundle = bundle
  }

  describe(thrown: unknown): Described {
    const message = `${shownMessage(thrown)}${this.#adviceOn(thrown)}`
    const lines: string[] = []
    let cause: unknown = thrown
    for (let depth = 0; depth <= causesMax && cause instanceof Error; depth++, cause = cause.cause) {
      if (depth > 0) lines.push(`  caused by ${messageOf(cause).slice(0, messageCharsMax)}`)
      lines.push(...this.#frames(cause))
    }
    return { message, stack: lines.some(line => frameForm.test(line)) ? [message, ...lines].join('\n') : undefined }
  }

  /** Place of the source of a function, `mill.ts:12:7`; undefined for one that is not the program's, or that it has twice. */
  placeOf(fn: (...args: never[]) => unknown): string | undefined {
    const text = Function.prototype.toString.call(fn)
    const at = this.#bundle.indexOf(text)
    if (at < 0 || this.#bundle.includes(text, at + 1)) return undefined
    const before = this.#bundle.slice(0, at)
    const { source, line, column } = originalPositionFor(this.#trace(), {
      line: before.split('\n').length, column: at - before.lastIndexOf('\n') - 1,
    })
    return source === null || source.startsWith('gristmill:') ? undefined : `${source}:${line}:${column + 1}`
  }

  /** Advice for an error about a write that a task may not do, or about a file beside the program that is not among its assets; else ''. */
  #adviceOn(thrown: unknown): string {
    if (isRefusedWrite(thrown)) return '; a task may write only below TMPDIR (its scratch); give results to emit'
    const path = missingPath(thrown)
    if (path !== undefined && !isAbsolute(path)) {
      const name = JSON.stringify(path.slice(0, 1_000))
      return '; the working directory of a task is its scratch (TMPDIR), which has no files of the program: name a file beside the program in ' +
        `its assets (assets: [${name}]) and read it at context.asset(${name})`
    }
    const beside = `${decodeURI(this.#url.replace(/\.mjs$/, '.assets'))}/`
    if (!path?.startsWith(beside)) return ''
    const name = path.slice(beside.length, beside.length + 1_000).replaceAll(upName, '..')
    return `; a task has of the files beside a program only its assets: name this one there (assets: [${JSON.stringify(name)}])`
  }

  /** The frames of the program, innermost first. */
  #frames(error: Error): string[] {
    const frames: string[] = []
    /** The previous frame, which is written when its caller is known. */
    let inner: { readonly name: string | undefined; readonly async: string; readonly where: string } | undefined
    const put = (called?: string | null): void => {
      if (!inner) return
      const { name, async, where } = inner
      // The bundler may have appended a number to an ambiguous name; the caller's mapping has the original one.
      const own = called && name !== undefined && name.startsWith(called) && /^\d+$/.test(name.slice(called.length)) ? called : name
      frames.push(own === undefined || own === '<anonymous>' ? `    at ${where}` : `    at ${async}${own} (${where})`)
    }
    for (const line of stackOf(error).split('\n')) {
      const match = frameForm.exec(line)
      if (!match || plain(match[3]!) !== this.#url) continue
      const place = originalPositionFor(this.#trace(), { line: Number(match[4]), column: Number(match[5]) - 1 })
      // Frames of the banner and of the authoring module.
      if (place.source === null || place.source.startsWith('gristmill:')) continue
      put(place.name)
      inner = {
        name: match[2]?.replace(/^(?:Object|Module)\./, ''),
        async: match[1] ?? '',
        where: `${place.source}:${place.line}:${place.column + 1}`,
      }
      if (frames.length === framesMax) return frames
    }
    put()
    return frames
  }

  #trace(): TraceMap {
    if (this.#map) return this.#map
    const at = this.#bundle.lastIndexOf(mapMark)
    const json =
      at < 0
        ? '{"version":3,"sources":[],"names":[],"mappings":""}'
        : Buffer.from(/^\S*/.exec(this.#bundle.slice(at + mapMark.length))![0], 'base64').toString('utf8')
    this.#map = new TraceMap(json)
    return this.#map
  }
}

const plain = (url: string): string => url.replace(/\?.*$/, '').replace(/^file:\/\//, '')

function messageOf(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return thrown.message === '' ? thrown.name : `${thrown.name}: ${thrown.message}`
    return `the program threw ${showValue(thrown, messageCharsMax)}`
  } catch {
    return 'the program threw something that cannot be shown'
  }
}

/** Node's advice in its error about a refused write names an option of Node that gristmill does not have. */
const nodesAdvice = /\.? Use --allow-fs-write to manage permissions\.?$/

function shownMessage(thrown: unknown): string {
  const message = messageOf(thrown).slice(0, messageCharsMax)
  return isRefusedWrite(thrown) ? message.replace(nodesAdvice, '') : message
}

/** True for Node's error about a write outside of the directories that a task may write to. */
function isRefusedWrite(thrown: unknown): boolean {
  try {
    const { code, permission } = thrown as { readonly code?: unknown; readonly permission?: unknown }
    return code === 'ERR_ACCESS_DENIED' && permission === 'FileSystemWrite'
  } catch {
    return false
  }
}

/** Path of Node's error about a missing file, of a call that reads; not of a missing command (`spawn`). */
function missingPath(thrown: unknown): string | undefined {
  try {
    const { code, path, syscall } = thrown as { readonly code?: unknown; readonly path?: unknown; readonly syscall?: unknown }
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || typeof path !== 'string' || typeof syscall !== 'string') return undefined
    return readingCalls.has(syscall) ? path : undefined
  } catch {
    return undefined
  }
}

/** The stack, which a program may have replaced by anything; else ''. */
function stackOf(error: Error): string {
  try {
    return typeof error.stack === 'string' ? error.stack : ''
  } catch {
    return ''
  }
}
