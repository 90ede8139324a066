// Typical mistakes on the command line, and what the answer suggests. All are usage errors: exit code 2, nothing on stdout, no call.

import { expect, test } from 'vitest'
import { commandNames, loadAll } from '../../../../client/cli/catalog.ts'
import { topicOf } from '../../../../client/cli/help/topics.ts'
import { builtins } from '../../../../client/jobs/builtins.ts'
import { commandSuggestion, verbSuggestion, wordsOfOthers } from '../../../../client/cli/suggestion.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { FakeMill, runFake } from './fake.ts'
import { Recorder } from './recorder.ts'

test.each([
  ['fs -ls /', 'no such command: fs (did you mean ls?)'], ['hdfs dfs -put x /d', '(did you mean put?)'],
  ['s3 ls /', 'no such command: s3 (did you mean ls?)'], ['aws s3 mb s3://b', '(did you mean mkdir?)'],
  ['s3 sync x /d', '(did you mean put -r?)'],
  ['-ls /', 'no such command: -ls (did you mean ls?)'], ['-mkdir -p /d', '(did you mean mkdir?)'],
  ['sl /d', 'no such command: sl (did you mean ls?)'], ['mdkir /d', '(did you mean mkdir?)'], ['sync /x /d', '(did you mean put -r?)'],
  ['distcp /a /b', '(did you mean cp -r?)'], ['hadoop distcp hdfs://a/x hdfs://b/x', '(did you mean cp -r?)'],
  ['yarn', 'no such command: yarn (did you mean jobs?)'], ['yarn application -list', '(did you mean jobs?)'],
  ['yarn application -kill application_1', '(did you mean kill?)'], ['yarn logs -applicationId x', '(did you mean logs?)'],
  ['yarn node -list', '(did you mean report?)'], ['yarn top', '(did you mean status?)'], ['mapred', '(did you mean jobs?)'],
  ['mapred job -list', '(did you mean jobs?)'], ['mapred job -kill job_1', '(did you mean kill?)'],
  ['mapred queue -list', '(did you mean queues?)'], ['mapred streaming -input /a', '(did you mean stream?)'],
  ['hadoop jar wc.jar', '(did you mean run?)'], ['hadoop fs -ls /', 'no such command: hadoop (did you mean ls?)'],
  ['hadoop fs', '(did you mean help hdfs?)'], ['hdfs', '(did you mean help hdfs?)'],
  ['hdfs dfsadmin -safemode get', '(did you mean safemode?)'],
  ['hdfs dfsadmin -setSpaceQuota 1t /a', '(did you mean quota set?)'], ['hdfs dfsadmin -refreshNodes', '(did you mean decommission?)'],
  ['hdfs namenode -format', '(did you mean namenode?)'], ['hdfs fsck /', '(did you mean fsck?)'],
  ['presign s3://b/k', '(did you mean help s3?)'], ['aws s3 presign s3://b/k', '(did you mean help s3?)'],
  ['aws s3', '(did you mean help s3?)'],
  ['aws s3api head-object --bucket b', '(did you mean stat?)'], ['aws s3api list-objects-v2', '(did you mean ls?)'],
  ['gsutil rsync x gs://b', '(did you mean put -r?)'],
  ['dfsadmin -report', '(did you mean report?)'], ['rmr /d', '(did you mean rm -r?)'],
  ['expunge', '(did you mean trash empty --older-than 1d?)'], ['list /d', '(did you mean ls?)'], ['delete /d', '(did you mean rm?)'],
  ['version', '(did you mean --version?)'], ['LS /d', '(did you mean ls?)'], ['quux', 'no such command: quux; gristmill --help lists them'],
  ['constructor', 'no such command: constructor;'],
  ['lss /', '(did you mean ls?)'], ['rmm /a', '(did you mean rm?)'],
  ['ln /a /b', 'no such command: ln;'], ['mount /a', 'no such command: mount;'], ['nosuch', 'no such command: nosuch;'],
  ['cut -f1', 'no such command: cut;'], ['sed s/a/b/', 'no such command: sed;'], ['gett /a', '(did you mean get?)'],
  ['hed /a', '(did you mean head?)'],
  ['sck /', '(did you mean fsck?)'], ['napshot ls', '(did you mean snapshot?)'], ['statsu', '(did you mean status?)'],
  ['decomission n', '(did you mean decommission?)'],
  ['grep rye /d', '(did you mean run gristmill:grep?)'], ['wc /d', '(did you mean count?)'],
  ['aws s3 cp a.log s3://logs/', '(did you mean put a.log /logs/?)'], ['aws s3 cp s3://logs/a.log .', '(did you mean get /logs/a.log .?)'],
  ['aws s3 cp --recursive s3://logs/old s3://logs/new', '(did you mean cp -r /logs/old /logs/new?)'],
  ['s3cmd sync x s3://b/', '(did you mean put -r?)'],
  ['aws s3 cp s3://logs/a.log -', '(did you mean cat /logs/a.log?)'], ['aws s3 cp - s3://logs/a.log', '(did you mean put - /logs/a.log?)'],
  ['aws s3 mv s3://a/x s3://a/y', '(did you mean mv /a/x /a/y?)'], ['aws s3 cp --region x a s3://b', '(did you mean put?)'],
  ['trash list', '(did you mean ls?)'], ['trash rm /a', 'no such verb: rm; the verbs are'], ['snapshot delete /d a', '(did you mean rm?)'],
  ['safemode on', '(did you mean enter?)'], ['job kill last', 'no such verb: kill (did you mean gristmill kill?)'],
  ['job logs last', '(did you mean gristmill logs?)'], ['namenode start', '(did you mean gristmill namenode?)'],
  ['jobs ls', 'unexpected operand "ls": jobs takes none'], ['up 3', 'up takes none'], 
  ['run a.ts /in', 'unexpected operand "/in": input and output are options: gristmill run a.ts --input /in --output /PATH; see'],
  ['run a.ts /in "/out"', 'gristmill run a.ts --input /in --output'],
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

test.each([
  ['copyFromLocal /x /d', 'put', /"copyFromLocal" is called put here/], ['touchz /d/new', 'touch', /"touchz" is called touch here/],
  ['--json lsr /d', 'ls', /\{"note":"\\"lsr\\" is called ls here"\}/], ['text /d/f', 'cat', /"text" is called cat here/],
])('gristmill %s runs %s, and says so', async (line, _, said) => {
  const mill = new Recorder({ '/d/f': 'rye\n' })
  const { code, err } = await runFake(mill, line.split(' '), { disk: new MemoryDisk() })
  expect(code).toBe(0)
  expect(err).toMatch(said)
  expect((await runFake(mill, [...line.split(' '), '--quiet'], { disk: new MemoryDisk() })).err).not.toContain('called')
})

test('put of a name that only the cluster has, and get of one that only the local disk has, name each other', async () => {
  const disk = new MemoryDisk()
  await disk.writeFileDurable('/here/a b.log', Buffer.from('x'))
  await disk.mkdir('/here/dir')
  const mill = new FakeMill({ '/there/a.log': 'x', '/there/dir': {} })
  const said = async (...words: string[]): Promise<string> => {
    const { code, err } = await runFake(mill, words, { disk })
    expect(code).toBe(1)
    return err
  }
  expect(await said('put', '/there/a.log', 'copy')).toContain('but the cluster has it: to copy it from there: gristmill get /there/a.log copy')
  expect(await said('put', '-r', '/there/dir', '.')).toContain('gristmill get -r /there/dir .')
  expect(await said('get', '/here/a b.log', '/there/')).toContain(`to copy it into the cluster: gristmill put '/here/a b.log' /there/`)
  expect(await said('get', '/here/dir')).toContain('gristmill put -r /here/dir /')
  // An address is no path: a command that would be refused is not advised.
  for (const command of ['cp', 'mv', 'get']) {
    const message = await said(command, '/here/a b.log', 's3://logs/')
    expect(message).toContain('s3://logs/ is an address')
    expect(message).not.toContain('gristmill put')
  }
})

test('every suggested command exists', async () => {
  const commands = await loadAll()
  const exists = (suggested: string): boolean => {
    const [name, verb] = suggested.split(' ')
    const spec = commands.find(each => each.spec.name === name)?.spec
    if (!spec) return name === '--version' || name === 'help' && (verb === undefined || topicOf(verb) !== undefined)
    if (name === 'run' && verb !== undefined) return builtins.some(each => verb === `gristmill:${each.name}`)
    return verb === undefined || verb.startsWith('-') || spec.verbs?.some(one => one.name === verb) === true
  }
  const suggestedIn = (text: string): string[] => [...text.matchAll(/did you mean ([^?]+)\?/g)].map(match => match[1]!)
  const words = [...wordsOfOthers, 'getmerge']
  const suggested = words.flatMap(word => suggestedIn(commandSuggestion(word.split(' '), commandNames)))
  expect(suggested.length).toBe(words.length)
  for (const { spec } of commands.filter(each => each.spec.verbs)) {
    const verbs = spec.verbs!.map(({ name }) => name)
    for (const verb of ['list', 'show', 'kill', 'start', 'stop', 'on', 'restore', 'purge', 'delete'])
      for (const one of suggestedIn(verbSuggestion(spec.name, verb, verbs)))
        suggested.push(one.startsWith('gristmill ') ? one.slice('gristmill '.length) : `${spec.name} ${one}`)
  }
  expect(suggested.filter(each => !exists(each))).toEqual([])
})
