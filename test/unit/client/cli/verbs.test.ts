// Commands with verbs: `trash ls`, `namenode recover`. Each verb has its own help, operands and options; invalid ones are refused before
// any call to a cluster. Effects of the commands are tested in test/cluster/care.test.ts.

import { expect, test } from 'vitest'
import { loadAll } from '../../../../client/cli/catalog.ts'
import { FakeMill, runFake } from './fake.ts'
import { Recorder } from './recorder.ts'

const run = (line: string) => runFake(new FakeMill({}), line.split(' '))
const withVerbs = (await loadAll()).filter(({ spec }) => spec.verbs).map(({ spec }) => spec)

test.each([
  ['trash', 'fly'], ['trash', 'ls', 'x'], ['trash', 'restore'], ['trash', 'restore', 'a', 'b', '--to', '/c'], ['trash', 'empty', 'x'],
  ['trash', 'empty', '--older-than', 'soon'], ['snapshot', 'fly', '/a'], ['snapshot', 'create'], ['snapshot', 'create', '/a', 'b', 'c'],
  ['snapshot', 'diff', '/a'], ['snapshot', 'rm', '/a'], ['snapshot', 'toString', '/a'], ['quota', 'fly'], ['quota', 'set', '/a'],
  ['quota', 'set', '--names', '3'], ['quota', 'set', '/a', '--names', '-3'], ['quota', 'clear'], ['xattr', 'get', '/a'],
  ['xattr', 'set', '/a', 'user.b'], ['xattr', 'ls', '/a', 'b'], ['xattr', 'rm', '/a'], ['xattr', 'constructor', '/a'],
  ['job', 'publish', 'last'], ['job', 'drop'], ['job', 'last', 'last'], ['namenode', 'fly'], ['namenode', 'lost', 'x'], ['safemode', 'off'],
])('%s %s %s %s is not understood', async (...words) => {
  const seen = await runFake(
    new FakeMill({}), words.filter(word => word !== undefined),
  )
  expect(seen).toMatchObject({ code: 2, out: '' })
  expect(seen.err).toMatch(/^gristmill: (trash|snapshot|quota|xattr|job|namenode|safemode): \S/)
})

test.each(withVerbs.map(spec => [spec.name, spec] as const))('%s shows its verbs, and each verb its own help', async (name, spec) => {
  const top = await run(`${name} --help`)
  expect(top).toMatchObject({ code: 0, err: '' })
  expect(await run(`help ${name}`)).toEqual(expect.objectContaining({ code: 0, out: top.out }))
  expect(await run(`${name} help`)).toEqual(expect.objectContaining({ code: 0, out: top.out }))
  for (const verb of spec.verbs!) {
    expect(top.out).toMatch(new RegExp(`^ {2}${verb.name}\\b.* {2}`, 'm'))
    const own = await run(`${name} ${verb.name} --help`)
    expect(own).toMatchObject({ code: 0, err: '' })
    expect(own.out).toContain(`Usage: gristmill ${name} ${verb.name} [options]${verb.args && ` ${verb.args}`}\n`)
    for (const one of verb.options.filter(({ hidden }) => !hidden)) expect(own.out).toContain(`  ${one.flags}  `)
    for (const [operand, about] of verb.operands ?? [])
      expect(own.out).toMatch(new RegExp(`^ {2}${/\w+/.exec(operand)![0]} +${about[0]}`, 'm'))
    for (const [line] of verb.examples) expect(own.out).toContain(`  $ ${line}\n`)
    const path = `${name} ${verb.name}`
    for (const same of [`help ${path}`, `${name} help ${verb.name}`, `${name} --help ${verb.name}`, `--help ${path}`])
      expect((await run(same)).out, same).toBe(own.out)
    // An option of another verb is not in this help.
    for (const other of spec.verbs!.flatMap(({ options }) => options))
      if (!verb.options.some(({ flags }) => flags === other.flags)) expect(own.out).not.toContain(`  ${other.flags}  `)
  }
})

test('without a verb, a command that needs one prints its help on stderr and exits with 2', async () => {
  const seen = await run('trash')
  expect(seen).toMatchObject({ code: 2, out: '' })
  expect(seen.err).toContain((await run('trash --help')).out.trimEnd())
  expect(seen.err).toMatch(/\ngristmill: trash: no verb given: the verbs are ls, restore and empty; see gristmill trash --help\n$/)
  const json = await run('trash --json')
  expect(json).toMatchObject({ code: 2, out: '' })
  expect(JSON.parse(json.err)).toMatchObject({
    error: { code: 'USAGE', command: 'trash', message: expect.stringContaining('no verb given') },
  })
})

test('an unknown verb is answered with the nearest one and the list', async () => {
  const said = async (line: string): Promise<string> => {
    const { code, out, err } = await run(line)
    expect([code, out]).toEqual([2, ''])
    return err
  }
  expect(await said('trash restroe /a')).toBe(
    'gristmill: trash: no such verb: restroe (did you mean restore?); the verbs are ls, restore and empty; see gristmill trash --help\n',
  )
  expect(await said('snapshot dif /a')).toContain('(did you mean diff?)')
  expect(await said('namenode recovr')).toContain('(did you mean recover?)')
  expect(await said('xattr fly /a')).toBe(
    'gristmill: xattr: no such verb: fly; the verbs are get, set, ls and rm; see gristmill xattr --help\n',
  )
  expect(await said('help trash fly')).toContain('no such verb: fly')
  expect(await said('help fly')).toContain('no such command or topic: fly')
  expect(await said('sl --help')).toContain('no such command: sl')
})

test('an option of another verb is refused with the verb that has it', async () => {
  const cases: [string, string][] = [
    ['trash ls --to /x', '--to belongs to gristmill trash restore; see gristmill trash ls --help'],
    ['trash restore /a --all', '--all belongs to gristmill trash ls and gristmill trash empty'],
    ['quota get --names 3 /d', '--names belongs to gristmill quota set'],
    ['job last --output /x', '--output belongs to gristmill job publish; see gristmill job --help'],
    ['job drop last --tasks', '--tasks belongs to gristmill job;'],
    ['namenode --dry-run', '--dry-run belongs to gristmill namenode recover; see gristmill namenode --help'],
    ['namenode lost --epoch 3', '--epoch belongs to gristmill namenode recover'],
    ['safemode --timeout 5s', '--timeout belongs to gristmill safemode wait'],
    ['trash ls --nope', "unknown option '--nope'"],
  ]
  for (const [line, said] of cases) {
    const { code, err } = await run(line)
    expect(code, line).toBe(2)
    expect(err, line).toContain(said)
  }
})

test('options may be before the command, before the verb and after the operands', async () => {
  const calls = async (line: string) => {
    const mill = new Recorder({ '/d/a': 'x' })
    const { code, out, err } = await runFake(mill, line.split(' '), { clock: { mono: () => 0 } })
    return { code, out, err, calls: mill.calls }
  }
  const same: string[][] = [
    ['trash empty --all --older-than 1h', 'trash --all empty --older-than 1h', 'trash --older-than 1h empty --all'],
    ['trash empty --all --older-than 1h', '--home /h trash --all --older-than=1h empty'],
    ['trash restore /d/a --to /b -f', 'trash --to /b restore -f /d/a', 'trash -f --to=/b -- restore /d/a'],
    ['trash restore /d/a --to /b -f', 'trash restore --to /b -f -- /d/a'],
    ['trash ls --json --all', '--json trash ls --all', 'trash --json --all ls', 'trash --all --json -- ls'],
    ['job publish last -o /b --overwrite', 'job -o /b publish --overwrite last', 'job --overwrite -o /b publish last'],
    ['job publish last -o /b --overwrite', 'job publish -o/b --overwrite -- last'],
    ['job last --tasks', 'job --tasks last', '--home /h job --tasks last'],
    ['quota set --names 7 /d', 'quota --names 7 set /d', 'quota set /d --names 7', '--cluster c:1 quota --names=7 set /d'],
    ['safemode', 'safemode get'],
    ['xattr set /d user.a -- -1', 'xattr -- set /d user.a -1'],
    ['snapshot create /d restore', '--home /h snapshot create /d restore', 'snapshot -- create /d restore'],
    ['namenode lost --release', 'namenode --release lost', 'namenode --port 5 lost --release', 'namenode lost --release --dir /x'],
  ]
  for (const lines of same) {
    const first = await calls(lines[0]!)
    expect(first.code, `${lines[0]}: ${first.err}`).toBe(0)
    for (const line of lines.slice(1)) expect(await calls(line), line).toEqual(first)
  }
})

test('an operand that is named like a verb or like help stays an operand', async () => {
  const mill = new Recorder({ '/d': {} })
  await runFake(mill, ['trash', 'restore', 'empty', 'help'])
  await runFake(mill, ['xattr', 'set', '/d', 'user.a', 'help'])
  await runFake(mill, ['xattr', 'set', '/d', 'user.a', ''])
  expect(mill.calls.map(call => call.filter(part => typeof part === 'string'))).toMatchObject([
    ['trash.restore', 'empty'], ['trash.restore', 'help'], ['xattrs.set', '/d', 'user.a', 'help'], ['xattrs.set', '/d', 'user.a', ''],
  ])
})

test('the server options of a namenode are accepted by its verbs', async () => {
  const seen = await runFake(new Recorder({}), ['namenode', 'lost', '--log-level', 'debug', '--port', '8620'])
  expect(seen).toMatchObject({ code: 0, err: '' })
})
