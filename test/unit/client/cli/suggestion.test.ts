// Typical mistakes on the command line, and what the answer suggests. All are usage errors: exit code 2, nothing on stdout, no call.

import { expect, test } from 'vitest'
import { commandNames, loadAll } from '../../../../client/cli/catalog.ts'
import { commandSuggestion, verbSuggestion } from '../../../../client/cli/suggestion.ts'
import { FakeMill, runFake } from './fake.ts'

test.each([
  ['fs -ls /', 'no such command: fs (did you mean ls?)'], ['hdfs dfs -put x /d', '(did you mean put?)'],
  ['-ls /', 'no such command: -ls (did you mean ls?)'], ['-mkdir -p /d', '(did you mean mkdir?)'],
  ['copyFromLocal x /d', '(did you mean put?)'], ['dfsadmin -report', '(did you mean report?)'], ['rmr /d', '(did you mean rm -r?)'],
  ['expunge', '(did you mean trash empty --older-than 1d?)'], ['list /d', '(did you mean ls?)'], ['delete /d', '(did you mean rm?)'],
  ['version', '(did you mean --version?)'], ['LS /d', '(did you mean ls?)'], ['quux', 'no such command: quux; gristmill --help lists them'],
  ['constructor', 'no such command: constructor;'],
  ['trash list', '(did you mean ls?)'], ['trash rm /a', 'no such verb: rm; the verbs are'], ['snapshot delete /d a', '(did you mean rm?)'],
  ['safemode on', '(did you mean enter?)'], ['job kill last', 'no such verb: kill (did you mean gristmill kill?)'],
  ['job logs last', '(did you mean gristmill logs?)'], ['namenode start', '(did you mean gristmill namenode?)'],
  ['jobs ls', 'unexpected operand "ls": jobs takes none'], ['up 3', 'up takes none'], ['run a.ts b.ts', 'unexpected operand "b.ts"; see'],
  ['ls --long=yes /d', '--long takes no value; see gristmill ls --help'], ['ls --cluster', '--cluster needs a value: --cluster <address>'],
  ['ls --hum /', '(Did you mean one of --home, --human?)'], ['head -n x /a', '--lines: "x" is not a whole number of at least 0; see'],
  ['quota set /d --names ten', '--names: "ten" is not a whole number'],
  ['balance --threshold 200', '--threshold: "200" is not a percentage from 0 to 100'],
  ['setrep /d 3', 'gristmill setrep 3 PATH'], ['chmod /d 755', 'gristmill chmod 640 PATH'], ['chown /d ada', 'gristmill chown ada PATH'],
])('gristmill %s', async (line, said) => {
  const mill = new FakeMill({ '/d': {}, '/ada': {} })
  const seen = await runFake(mill, line.split(' '))
  expect(seen).toMatchObject({ code: 2, out: '', err: expect.stringContaining(said) })
  expect(seen.err.trimEnd()).not.toContain('\n')
})

test('every suggested command exists', async () => {
  const commands = await loadAll()
  const exists = (suggested: string): boolean => {
    const [name, verb] = suggested.split(' ')
    const spec = commands.find(each => each.spec.name === name)?.spec
    if (!spec) return name === '--version'
    return verb === undefined || verb.startsWith('-') || spec.verbs?.some(one => one.name === verb) === true
  }
  const suggestedIn = (text: string): string[] => [...text.matchAll(/did you mean ([^?]+)\?/g)].map(match => match[1]!)
  const words = [
    'list', 'lsr', 'rmr', 'getmerge', 'expunge', 'undelete', 'createSnapshot', 'snapshotDiff', 'clrQuota', 'getfattr', 'jar', 'ps', 'stop',
  ]
  const suggested = words.flatMap(word => suggestedIn(commandSuggestion([word], commandNames)))
  expect(suggested.length).toBe(words.length)
  for (const { spec } of commands.filter(each => each.spec.verbs)) {
    const verbs = spec.verbs!.map(({ name }) => name)
    for (const verb of ['list', 'show', 'kill', 'start', 'stop', 'on', 'restore', 'purge', 'delete'])
      for (const one of suggestedIn(verbSuggestion(spec.name, verb, verbs)))
        suggested.push(one.startsWith('gristmill ') ? one.slice('gristmill '.length) : `${spec.name} ${one}`)
  }
  expect(suggested.filter(each => !exists(each))).toEqual([])
})
