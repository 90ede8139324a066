// Commands that messages advise have the options by which the command line has selected its cluster.

import { expect, test } from 'vitest'
import { commandNames } from '../../../../client/cli/catalog.ts'
import { hinted } from '../../../../client/cli/hints.ts'
import { runFake, someFiles } from './fake.ts'

const names = new Set(commandNames)

test.each([
  ['"gristmill down" stops it', {}, '"gristmill down" stops it'],
  ['"gristmill down" stops it', { home: '/h 1' }, `"gristmill --home '/h 1' down" stops it`],
  ['gristmill up --detach starts it; gristmill ls /', { cluster: 'mill:1', home: '/h', secretFile: '/s' },
    'gristmill --home /h up --detach starts it; gristmill --cluster mill:1 --secret-file /s --home /h ls /'],
  ['gristmill init makes one; gristmill was started; gristmill help glob', { home: '/h' },
    'gristmill init makes one; gristmill was started; gristmill help glob'],
  ['there is no program /data/gristmill run.ts, nor ./gristmill run', { home: '/h' }, 'there is no program /data/gristmill run.ts, nor ./gristmill run'],
  ['gristmill namenode lost --release', { cluster: 'embedded' }, 'gristmill --cluster embedded namenode lost --release'],
])('%s with %j', (text, options, expected) => {
  expect(hinted(text, options, names)).toBe(expected)
})

test('errors and notes of a command name its home', async () => {
  const { err } = await runFake(someFiles(), ['mv', '/zero.bin', '/none/x', '--home', '/h'])
  expect(err).toContain('create it with: gristmill --home /h mkdir -p /none')
})
