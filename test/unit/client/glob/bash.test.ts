// Glob patterns compared with bash, over generated names and patterns. Intended differences: a `**` at the end does not match its own
// directory; each path appears once; a pattern without matches gives nothing.

import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { localTree } from '../../../../client/cli/tree.ts'
import { alternatives } from '../../../../client/glob/braces.ts'
import { expand } from '../../../../client/glob/expand.ts'
import { textPattern } from '../../../../client/glob/pattern.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { dice, type Dice } from '../../../kit/dice.ts'

const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8' }

function bashVersion(): string | undefined {
  try {
    return (
      execFileSync('bash', ['-c', `a=$'\\u00fc'; [[ \${BASH_VERSINFO[0]} -ge 5 && \${#a} = 1 ]] && echo $BASH_VERSION`], {
        env, encoding: 'utf8',
      }).trim() || undefined
    )
  } catch {
    return undefined
  }
}
const version = bashVersion()
if (version === undefined)
  console.warn('NOT TESTED: there is no bash 5 with the locale C.UTF-8 on this machine, so patterns were not compared with it')

const names = [
  'a', 'b', 'ab', 'abc', 'a.b', '.a', '.ab', '_a', '-', 'a-b', 'a b', '[', ']', '[a]', 'a]', '{a,b}', '{a', 'a}', '*', 'a*', '?', '\\',
  'a\\b', '!', '!a', '^', 'ü', '😀', 'a😀b', 'x\ny', '1', '2', '10', '01', '09', 'A', 'Z', '(1)', '+(a)', '@', '#', '~', "'", '"', '$x',
  'a,b', '..c',
]
const pieces = [
  'a', 'b', 'c', 'ab', 'x', 'y', '.', '_', '-', ' ', '*', '*', '*', '?', '?', '[a-c]', '[!a]', '[^ab]', '[]a]', '[!]]', '[a', '[a-]',
  '[\\]]', '[\\!a]', '[[:digit:]]', '[ü-ÿ]', '[0-9]', '\\*', '\\?', '\\[', '\\{', '\\a', '\\\\', '{a,b}', '{a,}', '{,b}*', '{1..10}',
  '{01..10..3}', '{3..1}', '{a..c}', '{a', 'b}', '{}', '{a}', '{a,{b,c}*}', '{x{1..2},[ab]}', '{1..a}', '1', '0', ',', '!', '^', '(1)',
  '+(a)', '@', '#', '~', 'ü', '😀', "'", '"', '$',
]

/** Escapes characters that are special in a shell but not in a pattern. */
const forBash = (pattern: string): string =>
  pattern.replaceAll(/(\\.)|([ '"$()#~+@|&;<>`])/gsu, (_, kept: string | undefined, plain: string) => kept ?? `\\${plain}`)

const pick = <T>(random: Dice, from: readonly T[]): T => from[random.below(from.length)]!
const patternOf = (random: Dice): string => {
  const segment = (): string =>
    random.below(6) === 0
      ? '**'
      : pick(random, ['a', '*', '[ab]', '?', '😀', '.a', '.*', '[.]*', '\\.*', '{.,}a*'])
        + Array.from({ length: random.below(4) }, () => pick(random, pieces)).join('')
  return Array.from({ length: 1 + random.below(3) }, segment).join('/') + (random.below(8) === 0 ? '/' : '')
}

describe.skipIf(version === undefined)('as in bash', () => { // because some machines have no bash 5; a warning says so
  const directory = mkdtempSync(join(tmpdir(), 'gristmill-glob-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test.each([1, 2, 3, 4])('patterns give the paths that bash gives (seed %i)', async seed => {
    const random = dice(seed)
    const root = join(directory, String(seed))
    const fill = (at: string, depth: number): void => {
      mkdirSync(at)
      for (const name of names) {
        if (random.below(3) > 0) continue
        if (depth < 2 && random.below(3) === 0) fill(join(at, name), depth + 1)
        else writeFileSync(join(at, name), '')
      }
    }
    fill(root, 0)
    const patterns = Array.from({ length: 200 }, () => patternOf(random))
    const script = [
      'shopt -s globstar nullglob globasciiranges',
      ...patterns.map(pattern => `printf '%s\\0' ${forBash(pattern)}; printf '\\0\\1\\0'`),
    ].join('\n')
    const lists = execFileSync('bash', ['-s'], { cwd: root, env, input: script, encoding: 'utf8', maxBuffer: 1 << 28 }).split('\0\0\x01\0')
    const tree = localTree(localDisk, root)
    const wrong: unknown[] = []
    for (const [i, pattern] of patterns.entries()) {
      const theirs = new Set(
        lists[i]!.split('\0')
          .filter(path => path !== '' && (pattern.endsWith('/') || !path.endsWith('/')))
          .map(path => path.replaceAll(/\/+/g, '/').replace(/(.)\/$/, '$1'))
          .filter(path => existsSync(join(root, path)) && (!pattern.endsWith('/') || lstatSync(join(root, path)).isDirectory())),
      )
      const ours: string[] = []
      for await (const { path } of expand(pattern, tree)) ours.push(path)
      if (new Set(ours).size !== ours.length) wrong.push({ pattern, twice: ours })
      // In bash the `**` of `x/**` also matches `x`.
      for (const one of alternatives(pattern)) {
        if (/\/\*\*\/?$/.test(one))
          for await (const { path } of expand(one.replace(/(\/\*\*)+\/?$/, ''), tree)) if (!ours.includes(path)) theirs.delete(path)
      }
      const expected = [...theirs].sort()
      if (JSON.stringify([...ours].sort()) !== JSON.stringify(expected)) wrong.push({ pattern, ours: ours.sort(), expected })
    }
    expect(wrong).toEqual([])
  })

  test('a text matches what it matches in [[ text == pattern ]]', () => {
    const random = dice(5)
    const cases = Array.from({ length: 4000 }, () => ({
      pattern: Array.from({ length: 1 + random.below(3) }, () => pick(random, pieces.filter(piece => !/[{}(]/.test(piece)))).join(''),
      text: Array.from({ length: random.below(3) }, () => pick(random, [...names.filter(name => !/[\n(]/.test(name)), '/'])).join(''),
    }))
    const script = cases
      .map(
        ({ pattern, text }) =>
          `p='${pattern.replaceAll(`'`, `'\\''`)}'; t='${text.replaceAll(`'`, `'\\''`)}'; [[ $t == $p ]] && echo yes || echo no`,
      )
      .join('\n')
    const theirs = execFileSync('bash', ['-s'], { env, input: script, encoding: 'utf8' }).trim().split('\n')
    const wrong = cases.filter(({ pattern, text }, i) => (textPattern(pattern)(text) ? 'yes' : 'no') !== theirs[i])
    expect(wrong).toEqual([])
    expect(theirs.filter(said => said === 'yes').length).toBeGreaterThan(50)
  })

  test('braces are written out as bash writes them out', () => {
    const random = dice(6)
    const parts = [
      'a', 'b', '{', '}', ',', '{a,b}', '{1..3}', '{03..1}', '{-2..2..2}', '{a..e..2}', '{5..1..0}', '{1..2..-1}', '{c..a}', '\\{', '\\,',
      '\\}', 'x', '{a,{b,c}}', '..', '{1..', '1}', '{,}', '{-05..5..5}', '{001..2}',
    ]
    const patterns = Array.from({ length: 1500 }, () => Array.from({ length: 1 + random.below(6) }, () => pick(random, parts)).join(''))
    const script = ['set -f', ...patterns.map(pattern => `printf '%s\\0' x${pattern}; printf '\\1\\0'`)].join('\n')
    const theirs = execFileSync('bash', ['-s'], { env, input: script, encoding: 'utf8' }).split('\0\x01\0')
    const wrong: unknown[] = []
    for (const [i, pattern] of patterns.entries()) {
      const ours = Array.from(alternatives(`x${pattern}`), one => one.replaceAll(/\\(.)/g, '$1'))
      if (JSON.stringify(ours) !== JSON.stringify(theirs[i]!.split('\0'))) wrong.push({ pattern, ours, theirs: theirs[i]!.split('\0') })
    }
    expect(wrong).toEqual([])
  })
})
