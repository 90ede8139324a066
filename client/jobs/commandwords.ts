// Words of a command that is given as one text. It is split as Hadoop Streaming does: at spaces outside of quotes, without a shell. A text
// with shell syntax outside of quotes (a pipe, a redirection, a variable) is given to /bin/sh. Pure.

import { GristmillError } from '../../src/base/errors.ts'
import type { CommandWords } from '../../src/plan/node.ts'

interface WordsOptions {
  /** Role of the command, for messages. */
  readonly name: string
  /** Gives the text to /bin/sh in any case. */
  readonly shell?: boolean | undefined
}

/** Throws EINVAL for a text without a program, or with a quote that is not closed. */
export function commandWords(text: string, { name, shell = false }: WordsOptions): CommandWords {
  if (text.includes('\0')) throw new GristmillError('EINVAL', `the ${name} has a NUL character, which no command can have; leave it out`)
  const { words, isShell } = split(text, name)
  if (shell || isShell) return ['/bin/sh', '-c', text]
  const [program, ...args] = words
  if (program === undefined || program === '')
    throw new GristmillError('EINVAL', `the ${name} ${JSON.stringify(text)} names no program; give one, such as cat`)
  return [program, ...args]
}

/** Syntax of a shell: pipes, lists, redirections, subshells, commands in backquotes, lines. */
const shellCharacters = new Set('|&;<>()`\n')

function split(text: string, name: string): { words: string[]; isShell: boolean } {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  let isShell = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!
    if (quote !== undefined) {
      if (character === quote) quote = undefined
      else word += character
    } else if (character === "'" || character === '"') {
      quote = character
      word ??= ''
    } else if (character === ' ' || character === '\t') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      isShell ||= shellCharacters.has(character) || (character === '$' && /[A-Za-z_{(]/.test(text[i + 1] ?? ''))
      word = (word ?? '') + character
    }
  }
  if (quote !== undefined)
    throw new GristmillError('EINVAL', `the ${name} ${JSON.stringify(text)} has a quote ${quote} that is not closed; close it`)
  if (word !== undefined) words.push(word)
  return { words, isShell }
}
