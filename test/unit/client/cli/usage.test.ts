// Exit code of usage errors: what the words of a command line alone show to be wrong ends with 2, before any call to a cluster, and the
// message says what to write.

import { expect, test } from 'vitest'
import { FakeMill, runFake } from './fake.ts'

const commandLines: readonly (readonly [line: string, message: RegExp])[] = [
  // Values that are empty, as of an unset variable.
  ['--cluster= ls /d', /--cluster: the value is empty; is a variable not set\?/],
  ['ls --cluster= /d', /--cluster: the value is empty/],
  ['ls --secret-file= /d', /--secret-file: the value is empty/],
  ['ls --home= /d', /--home: the value is empty/],
  ['ls --config= /d', /--config: the value is empty/],
  ['run p.ts --input= -o /out', /--input: the value is empty/],
  ['run p.ts -i /in --output=', /--output: the value is empty/],
  ['run p.ts -i /in -o /out --param=', /--param: the value is empty/],
  ['run p.ts -i /in -o /out --env=', /--env: the value is empty/],
  ['trash restore 1 --to=', /--to: the value is empty/],
  ['find /d --name=', /--name: the value is empty/],
  ['put --format= a /a', /--format: the value is empty/],
  ['put --delimiter= a /a', /--delimiter: the value is empty/],
  ['setrep --replication 2 /d', /unknown option/],
  // Environment variables that tasks cannot be given.
  ['run p.ts -i /in -o /out --env A-B=1', /--env: "A-B" cannot be the name/],
  ['run p.ts -i /in -o /out --env =1', /--env: "" cannot be the name/],
  ['run p.ts -i /in -o /out --env NODE_OPTIONS=x', /--env: the environment variable NODE_OPTIONS takes effect when a process starts/],
  ['run p.ts -i /in -o /out --env MISSING', /--env MISSING: the variable is not set here/],
  ['run p.ts -i /in -o /out --env A=1 --env A=2', /--env A is given twice/],
  ['run p.ts -i /in -o /out --param nothing', /--param/],
  ['run p.ts -i /in -o /out --reducers 0', /--reducers/],
  ['run p.ts -i /in -o /out --force', /--force extends --overwrite/],
  // Standard input and output.
  ['put - /a - /b', /stdin/],
  ['put /local - /b', /stdin/],
  // Operands that are no value of their kind.
  ['chmod 9z9 /d', /9z9/],
  ['setrep none /d', /none/],
  ['touch -d someday /d/f', /someday/],
  ['quota set /d --bytes much', /--bytes/],
  ['head -n few /d/f', /--lines/],
  ['du -d x /d', /--depth/],
  ['find /d --type x', /--type/],
  ['find /d --size x', /--size/],
]

test.each(commandLines)('%s is a usage error', async (line, message) => {
  const seen = await runFake(new FakeMill({ '/d/f': 'text' }), line.split(' '))
  expect([seen.code, seen.out], seen.err).toEqual([2, ''])
  expect(seen.err).toMatch(/^gristmill: /)
  expect(seen.err).toMatch(message)
})

test('a format of stat may be empty, and so may parts of values', async () => {
  expect(await runFake(new FakeMill({ '/d/f': 'text' }), ['stat', '--printf', '', '/d/f'])).toMatchObject({ code: 0, err: '' })
})
