// Formats errors in the style of Unix tools: `gristmill: ls: /nope: no such file or directory`. POSIX codes about a path get the
// phrases of strerror; all other errors keep their own message, which says what to do. Also exit codes of errors (src/base/errors.ts).

import { asError, GristmillError, type ErrorCode } from '../../src/base/errors.ts'
import { showJson, showLines, showText } from '../../src/base/quote.ts'
import type { Failure } from '../../src/protocol/fields.ts'

const phrases: Partial<Record<ErrorCode, string>> = {
  ENOENT: 'no such file or directory',
  EEXIST: 'file exists',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  ENOTEMPTY: 'directory not empty',
  ESTALE: 'was replaced while it was read',
  EACCES: 'permission denied',
}

/** An error with a complete message, made by a command that knows what to advise. */
export class Refusal extends GristmillError {}

/** Keeps the server's message for errors about a name or an item instead of a path, where the POSIX phrase would mislead. */
export async function inOwnWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof GristmillError) || error.details['name'] === undefined && error.details['item'] === undefined) throw error
    throw new Refusal(error.code, error.message, { cause: error, details: error.details })
  }
}

/** Phrases for errors of node:fs about local files, in place of Node's messages. */
const localPhrases: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory', EEXIST: 'file exists', ENOTDIR: 'not a directory', EISDIR: 'is a directory',
  ENOTEMPTY: 'directory not empty', EACCES: 'permission denied', EPERM: 'operation not permitted', ENOSPC: 'no space left on device',
  EROFS: 'read-only file system', EMFILE: 'too many open files', ENAMETOOLONG: 'file name too long', EIO: 'input/output error',
  ELOOP: 'too many symbolic links', EDQUOT: 'disk quota exceeded',
}

/** Error line with the names in it quoted by `quote`. */
export function quotedErrorLine(thrown: unknown, operand: string | undefined, quote: (name: string) => string): string {
  const details =
    thrown instanceof GristmillError
      ? Object.values(thrown.details)
      : thrown instanceof Error
        ? ['path', 'dest'].map(key => (thrown as unknown as Record<string, unknown>)[key])
        : []
  const names = [operand, ...details].filter((name): name is string => typeof name === 'string' && name !== '' && quote(name) !== name)
  const line = errorLineOf(thrown, operand)
  if (names.length === 0) return line
  // Longest first, so that a path is quoted as a whole and not by the directory it begins with.
  const any = [...new Set(names)]
    .sort((a, b) => b.length - a.length)
    .map(name => name.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
    .join('|')
  return line.replaceAll(new RegExp(any, 'g'), quote)
}

/** Text after `gristmill: command: `. `operand`: the operand that failed, as typed. */
export function errorLineOf(thrown: unknown, operand?: string): string {
  // An address, which may hold a secret, is in the message in the form that shows none.
  if (thrown instanceof Refusal || thrown instanceof GristmillError && thrown.details['url'] !== undefined) return thrown.message
  if (!(thrown instanceof GristmillError) && thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') {
    const phrase = localPhrases[thrown.code]
    const path = 'path' in thrown && typeof thrown.path === 'string' ? thrown.path : operand
    if (phrase !== undefined) return path === undefined ? phrase : `${path}: ${phrase}`
  }
  const error = asError(thrown)
  const path = typeof error.details['path'] === 'string' ? error.details['path'] : undefined
  // A refusal of the caller itself, or about a job, says what to do about it; a path is not what is wrong.
  const isOwn = error.details['caller'] !== undefined || error.details['job'] !== undefined
  const phrase = isOwn ? undefined : phrases[error.code]
  // The server's path is more precise: for instance the missing parent instead of the operand.
  const subject = path ?? operand
  const { missing, file } = error.details as { readonly missing?: unknown; readonly file?: unknown }
  const where =
    error.code === 'ENOENT' && typeof missing === 'string'
      ? ` (there is no ${missing})`
      : error.code === 'ENOTDIR' && typeof file === 'string'
        ? ` (${file} is a file)`
        : ''
  const { advice } = error.details
  if (phrase !== undefined && subject !== undefined)
    return `${subject}: ${phrase}${where}${typeof advice === 'string' ? `; ${advice}` : ''}`
  return operand === undefined || error.message.includes(operand) ? error.message : `${operand}: ${error.message}`
}

/** True for an error whose message quotes a user's program, or what a compiler says of it. */
export const quotesProgram = (thrown: unknown): boolean => thrown instanceof GristmillError
  && (thrown.details['failure'] !== undefined || thrown.code === 'PROGRAM_INVALID' && thrown.details['output'] !== undefined)

/**
 * Further lines of an error: compiler messages, or a failed job's record, the user's stack, and the command that prints its logs. `hint`:
 * of that command.
 */
export function detailOf(thrown: unknown, hint = (advice: string): string => advice): string | undefined {
  if (!(thrown instanceof GristmillError)) return undefined
  const { output, failure, job } = thrown.details as { output?: unknown; failure?: Failure; job?: unknown }
  // `output` is text of a compiler or a stack here; of a job that is refused, its path.
  const text = thrown.code === 'PROGRAM_INVALID' && typeof output === 'string' ? behindMessage(output, thrown.message) : ''
  const lines = text === '' ? [] : [text]
  if (failure) lines.push(...failureLines(failure).slice(1))
  if (thrown.code === 'JOB_FAILED' && typeof job === 'string') lines.push(hint(`what its tasks have printed: gristmill logs ${showText(job)}`))
  return lines.length === 0 ? undefined : lines.join('\n')
}

/** The lines of a stack without those before its first place, if the message has them. */
function behindMessage(stack: string, message: string): string {
  const at = /^ +at /m.exec(stack)?.index ?? 0
  return message.endsWith(stack.slice(0, at).trim()) ? stack.slice(at) : stack
}

/** Message, record and the user's own stack. */
export function failureLines(failure: Failure): string[] {
  const lines = [showLines(failure.message)]
  if (failure.record) lines.push(`at record: ${showText(failure.record.path)}, byte ${failure.record.offset}`)
  // A stack begins with the message, which is printed above.
  if (failure.stack)
    lines.push(
      ...failure.stack
        .split('\n')
        .filter(line => /^\s*at\s/.test(line))
        .map(line => `    ${showText(line.trim())}`),
    )
  return lines
}

/** An error as one line of JSON. */
export function errorJson(thrown: unknown, command: string | undefined, operand?: string): string {
  const error = asError(thrown)
  const code = !(thrown instanceof GristmillError) && thrown instanceof Error && 'code' in thrown ? String(thrown.code) : error.code
  return showJson(JSON.stringify({ error: { code, message: errorLineOf(thrown, operand), command, operand, details: error.details } }))
}

/** Exit code 0 to 255, from the table of errors; local errors of the operating system are 1. */
export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof GristmillError) return thrown.exitCode
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' && thrown.code in localPhrases) return 1
  return asError(thrown).exitCode
}

const stacksOf = (error: Error): string =>
  error.cause instanceof Error ? `${error.stack}\ncaused by ${stacksOf(error.cause)}` : String(error.stack)

/**
 * With the variable GRISTMILL_DEBUG, each error that is told is followed by its stack, and those of its causes; `json`: as a line of JSON.
 */
export function tellStacks(
  printer: { complain(text: string): void }, thrown: unknown, env: Readonly<Record<string, string | undefined>>, json: boolean,
): void {
  if (!(thrown instanceof Error) || /^(?:|0|no|off|false)$/i.test(env['GRISTMILL_DEBUG'] ?? '')) return
  printer.complain(json ? JSON.stringify({ stack: stacksOf(thrown) }) : stacksOf(thrown))
}
