// Tokens of SQL: quotes, dollar quotes, nested comments; texts that are made to take long.

import { expect, test } from 'vitest'
import { afterBlanks, isOpenComment, sqlStatements, sqlTokens, withoutComments, wordAt } from '../../../../src/base/sqltokens.ts'

const tokensOf = (text: string): string[] =>
  [...sqlTokens(text)].filter(({ kind }) => kind !== 'blank').map(({ kind, start, end }) => `${kind}:${text.slice(start, end)}`)

test.each([
  [`select 'it''s', "a""b" -- c\n, $1`,
    ['word:select', `text:'it''s'`, 'mark:,', 'name:"a""b"', 'comment:-- c', 'mark:,', 'mark:$', 'mark:1']],
  ['$$;$$ $a$ $$ ; $a$', ['text:$$;$$', 'text:$a$ $$ ; $a$']],
  ['/* a /* b */ ; */ größe', ['comment:/* a /* b */ ; */', 'word:größe']],
  [String.raw`e'\';' ; x'00'`, [String.raw`text:e'\';'`, 'mark:;', 'word:x', `text:'00'`]],
  ['1e5.a_b 😀', ['mark:1e5.a_b', 'mark:😀']],
  [`'open`, [`text:'open`]], ['/* open', ['comment:/* open']], ['$a$ open', ['text:$a$ open']], ['"open""', ['name:"open""']],
])('tokens of %j', (text, tokens) => {
  expect(tokensOf(text)).toEqual(tokens)
  const all = [...sqlTokens(text)]
  expect(all.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text)
})

test('a text is cut at the semicolons outside of quotes and comments, and empty statements are left out', () => {
  expect(sqlStatements(`select ';'; /* ; */ ;; -- ;\n select "b;" ; -- end`)).toEqual([`select ';'`, ` -- ;\n select "b;" `])
  expect(sqlStatements(' ; -- nothing')).toEqual([])
})

test('comments are blanks, and words are found behind them', () => {
  const text = '/* a\n/* b */ */ -- c\n Explain x'
  expect(withoutComments(text)).toBe(`    \n${' '.repeat(10)} -- c\n Explain x`)
  expect(wordAt(text, afterBlanks(text))).toBe('EXPLAIN')
  expect([isOpenComment('select /* /* */'), isOpenComment('select /* */'), isOpenComment('select 1 -- /*')]).toEqual([true, false, false])
})

test.each([
  ['/**/'.repeat(50_000), 0], ['/*'.repeat(100_000), 0], [`'"`.repeat(100_001), 1], ['$a$ $b$'.repeat(50_000), 1], [' '.repeat(500_000), 0],
])('texts that would take long by backtracking: %#', (text, statements) => {
  expect(sqlStatements(`${text}x`)).toHaveLength(text.startsWith('/*/*') ? 0 : 1)
  expect(sqlStatements(text)).toHaveLength(statements)
})
