// An error of a program as its author knows it: the places in the author's own files, and nothing of what lies around them.
// Maps are read when something is thrown, never before.

import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping'
import { showValue } from '../base/show.ts'
import { upName } from './assets.ts'

export interface Described {
  /** `RangeError: out of grain`. */
  readonly message: string
  /** `    at grind (mill.ts:12:7)`, one line a frame, the message first; undefined if no frame is the program's. */
  readonly stack: string | undefined
}

/** Ends a bundle. Not the mark that others look for: a runtime that maps stacks by itself would map them twice. */
export const mapMark = '//# gristmillMap='
const frameForm = /^\s*at (?:(async )?(.+?) \()?(.+?):(\d+):(\d+)\)?$/
const framesMax = 30
/** An error of a program may hold anything: what is sent and kept is bounded. */
const messageCharsMax = 8_000
const causesMax = 3

export class StackMapper {
  readonly #url: string
  readonly #bundle: string
  #map: TraceMap | undefined

  /** `url`: as the module was loaded from; what follows a `?` does not matter. */
  constructor(url: string, bundle: string) {
    this.#url = plain(url)
    this.#bundle = bundle
  }

  describe(thrown: unknown): Described {
    const message = `${messageOf(thrown).slice(0, messageCharsMax)}${this.#adviceOn(thrown)}`
    const lines: string[] = []
    let cause: unknown = thrown
    for (let depth = 0; depth <= causesMax && cause instanceof Error; depth++, cause = cause.cause) {
      if (depth > 0) lines.push(`  caused by ${messageOf(cause).slice(0, messageCharsMax)}`)
      lines.push(...this.#frames(cause))
    }
    return { message, stack: lines.some(line => frameForm.test(line)) ? [message, ...lines].join('\n') : undefined }
  }

  /** A file that the program expects beside itself, and that was not brought along. */
  #adviceOn(thrown: unknown): string {
    const path = missingPath(thrown)
    const beside = `${decodeURI(this.#url.replace(/\.mjs$/, '.assets'))}/`
    if (!path?.startsWith(beside)) return ''
    const name = path.slice(beside.length, beside.length + 1_000).replaceAll(upName, '..')
    return `; a task has of the files beside a program only its assets: name this one there (assets: [${JSON.stringify(name)}])`
  }

  /** The frames of the program, innermost first. */
  #frames(error: Error): string[] {
    const frames: string[] = []
    /** Of the frame before, which waits for its caller. */
    let inner: { readonly name: string | undefined; readonly async: string; readonly where: string } | undefined
    const put = (called?: string | null): void => {
      if (!inner) return
      const { name, async, where } = inner
      // The bundler may have numbered a name that others have too; its caller still calls it by the author's.
      const own = called && name !== undefined && name.startsWith(called) && /^\d+$/.test(name.slice(called.length)) ? called : name
      frames.push(own === undefined || own === '<anonymous>' ? `    at ${where}` : `    at ${async}${own} (${where})`)
    }
    for (const line of stackOf(error).split('\n')) {
      const match = frameForm.exec(line)
      if (!match || plain(match[3]!) !== this.#url) continue
      const place = originalPositionFor(this.#trace(), { line: Number(match[4]), column: Number(match[5]) - 1 })
      // The banner, and our own part of the bundle.
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

/** The path of Node's error about a file that is not there. */
function missingPath(thrown: unknown): string | undefined {
  try {
    const { code, path } = thrown as { readonly code?: unknown; readonly path?: unknown }
    return (code === 'ENOENT' || code === 'ENOTDIR') && typeof path === 'string' ? path : undefined
  } catch {
    return undefined
  }
}

/** An author may have put anything there. */
function stackOf(error: Error): string {
  try {
    return typeof error.stack === 'string' ? error.stack : ''
  } catch {
    return ''
  }
}
