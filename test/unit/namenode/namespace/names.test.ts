// Names, permissions and files being written, as scenarios: `user: command → answer`. They document the POSIX behaviour; grace is the
// superuser.

import { expect, test } from 'vitest'
import { list, stat, summary } from '../../../../namenode/namespace/read.ts'
import { mkdir, remove, rename, setAttributes, touch } from '../../../../namenode/namespace/names.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { abandon, allocate, complete, create } from '../../../../namenode/writing/mutations.ts'
import type { Actor } from '../../../../namenode/journal/operation.ts'
import { blockId, leaseId } from '../../../../src/base/ids.ts'
import { as, type Bench, openBench, replayed, root } from '../kit.ts'

const octal = (mode: number): string => mode.toString(8).padStart(4, '0')

/** Runs one command; returns its answer as text. */
async function run(bench: Bench, actor: Actor, command: string): Promise<string> {
  const [verb, a = '', b = '', ...rest] = command.split(' ')
  const words = [a, b, ...rest]
  const has = (word: string): boolean => words.includes(word)
  const { journal, clock } = bench
  const nowMs = clock.now()
  switch (verb) {
    case 'mkdir':
      return octal(
        (
          await journal.submit(mkdir, {
            path: a, parents: has('-p'), nowMs, ...actor,
            ...(!Number.isNaN(Number.parseInt(b, 8)) && { mode: Number.parseInt(b, 8) }),
          })
        ).mode,
      )
    case 'touch':
      return (await journal.submit(touch, { path: a, replication: 3, blockBytes: 4096, nowMs, ...actor }), 'ok')
    case 'mv':
      return (await journal.submit(rename, { from: a, to: b, overwrite: has('-f'), nowMs, ...actor }), 'ok')
    case 'rm':
      return (await journal.submit(remove, { path: a, recursive: has('-r'), nowMs, ...actor }), 'ok')
    case 'chmod':
      return octal((await journal.submit(setAttributes, { path: a, mode: Number.parseInt(b, 8), nowMs, ...actor })).mode)
    case 'chown':
      return (await journal.submit(setAttributes, { path: a, owner: b, nowMs, ...actor })).owner
    case 'chgrp':
      return (await journal.submit(setAttributes, { path: a, group: b, nowMs, ...actor })).group
    case 'setrep':
      return String((await journal.submit(setAttributes, { path: a, replication: Number(b), nowMs, ...actor })).replication)
    case 'create': {
      const made = await journal.submit(create, {
        path: a, overwrite: has('-f'), parents: has('-p'), replication: 2, blockBytes: 100_000, blocks: 1, nowMs, ...actor,
      })
      return `lease ${made.lease} blocks ${made.blocks.join(' ')}`
    }
    case 'replace': {
      const made = await journal.submit(create, {
        path: a, replace: leaseId(Number(b)), replication: 2, blockBytes: 100_000, blocks: 1, nowMs, ...actor,
      })
      return `lease ${made.lease} blocks ${made.blocks.join(' ')}`
    }
    case 'allocate':
      return `blocks ${(await journal.submit(allocate, { lease: leaseId(Number(a)), count: Number(b), nowMs, ...actor })).blocks.join(' ')}`
    case 'complete': {
      // complete LEASE BLOCK:LENGTH …
      const blocks = words
        .slice(1)
        .filter(word => word.includes(':'))
        .map(word => ({ id: blockId(Number(word.split(':')[0])), length: Number(word.split(':')[1]), crc: 7, aligned: true }))
      const { status, unused } = await journal.submit(complete, { lease: leaseId(Number(a)), blocks, nowMs, ...actor })
      return `${status.path} ${status.length} bytes in ${status.blocks} unused ${unused.join(' ')}`.trimEnd()
    }
    case 'abandon':
      return `unused ${(await journal.submit(abandon, { lease: leaseId(Number(a)), ...actor })).unused.join(' ')}`.trimEnd()
    case 'stat': {
      const { type, owner, group, mode, length } = stat(journal.view, actor, a)
      return `${type} ${owner}:${group} ${octal(mode)} ${length}`
    }
    case 'ls':
      return (
        list(journal.view, actor, { path: a })
          .entries.map(entry => entry.path)
          .join(' ') || 'nothing'
      )
    case 'sweep': {
      const gone: number[] = []
      for (let more = true; more;) {
        const swept = await journal.submit(sweep, { limit: Number(a || 1) })
        gone.push(...swept.blocks)
        more = swept.more
      }
      return `blocks ${gone.sort((x, y) => x - y).join(' ')}`.trimEnd()
    }
    case 'counts': {
      const { files, directories, blocks, leases, doomed } = journal.view.counters
      return `${files} files ${directories - 4} directories ${blocks} blocks ${leases} leases ${doomed} doomed`
    }
    default:
      throw new Error(`no command ${verb}`)
  }
}

/** Runs each line; returns the scenario with the real answers, which equals the expected one if all is right. */
async function play(scenario: string): Promise<{ got: string; want: string }> {
  const bench = await openBench()
  const want = scenario.split('\n').map(line => line.trim()).filter(line => line !== '')
  const got: string[] = []
  for (const line of want) {
    const match = /^(\w+): (.*?) → /.exec(line)
    if (!match) throw new Error(`not a line of a scenario: ${line}`)
    const [, user = '', command = ''] = match
    let answer: string
    try {
      answer = await run(bench, user === 'grace' ? root : as(user), command)
    } catch (error) {
      answer = (error as { code: string }).code ?? String(error)
    }
    got.push(`${user}: ${command} → ${answer}`)
  }
  // In every case the log alone gives the same state, bit for bit.
  await replayed(bench)
  return { got: got.join('\n'), want: want.join('\n') }
}

const scenarios: Record<string, string> = {
  'directories are made one at a time, or with all above them': `
    grace: mkdir /a → 0755
    grace: mkdir /a → EEXIST
    grace: mkdir /a -p → 0755
    grace: mkdir /b/c → ENOENT
    grace: mkdir /b/c/d -p → 0755
    grace: touch /f → ok
    grace: mkdir /f → EEXIST
    grace: mkdir /f -p → EEXIST
    grace: mkdir /f/g -p → ENOTDIR
    grace: mkdir / → EEXIST
    grace: mkdir / -p → 1777
    grace: ls /b → /b/c
    grace: counts → 1 files 4 directories 0 blocks 0 leases 0 doomed`,
  'a name is refused that no path can have': `
    grace: mkdir a → EINVAL
    grace: mkdir /a/../b → EINVAL
    grace: mkdir /a//b → EINVAL
    grace: mkdir /${'x'.repeat(256)} → ENAMETOOLONG
    grace: mkdir /${'x'.repeat(255)} → 0755
    grace: mkdir /\ud800 → EINVAL`,
  'a listing is in byte order and does not show what is the system\'s': `
    grace: mkdir /b → 0755
    grace: mkdir /a → 0755
    grace: mkdir /B → 0755
    grace: mkdir /é → 0755
    grace: touch /a.txt → ok
    grace: ls / → /B /a /a.txt /b /é
    grace: ls /.gristmill → /.gristmill/jobs /.gristmill/programs
    grace: ls /a.txt → /a.txt
    grace: ls /none → ENOENT
    grace: ls /a.txt/x → ENOTDIR`,
  'renaming follows rename(2)': `
    grace: mkdir /a → 0755
    grace: mkdir /a/b → 0755
    grace: touch /a/b/f → ok
    grace: mv /a /a/b/c → EINVAL
    grace: mv /a /a → ok
    grace: mv /a/b/f /a/b/f → ok
    grace: mv /none /x → ENOENT
    grace: mv /a /none/x → ENOENT
    grace: mv /a /z → ok
    grace: stat /a/b/f → ENOENT
    grace: stat /z/b/f → file grace:grace 0644 0
    grace: mkdir /e → 0755
    grace: mv /z /e → EEXIST
    grace: mv /z /e -f → ok
    grace: ls /e → /e/b
    grace: mkdir /full → 0755
    grace: touch /full/f → ok
    grace: mv /e /full -f → ENOTEMPTY
    grace: mv /full/f /e -f → EISDIR
    grace: mv /e /full/f -f → ENOTDIR
    grace: touch /g → ok
    grace: mv /g /full/f → EEXIST
    grace: mv /g /full/f -f → ok
    grace: ls / → /e /full
    grace: mv / /x → EINVAL
    grace: counts → 2 files 4 directories 0 blocks 0 leases 1 doomed
    grace: sweep → blocks
    grace: counts → 2 files 3 directories 0 blocks 0 leases 0 doomed`,
  'what is removed is gone at once and taken apart afterwards': `
    grace: mkdir /a/b/c -p → 0755
    grace: touch /a/f → ok
    grace: create /a/b/g → lease 9 blocks 1
    grace: complete 9 1:50 → /a/b/g 50 bytes in 1 unused
    grace: rm /a → ENOTEMPTY
    grace: rm /a/b/c → ok
    grace: rm /a/f → ok
    grace: rm /a -r → ok
    grace: ls / → nothing
    grace: mkdir /a → 0755
    grace: ls /a → nothing
    grace: counts → 1 files 4 directories 1 blocks 0 leases 2 doomed
    grace: sweep → blocks 1
    grace: counts → 0 files 1 directories 0 blocks 0 leases 0 doomed
    grace: rm /none → ENOENT
    grace: rm / -r → EINVAL
    grace: rm /.gristmill -r → EACCES
    grace: rm /.gristmill/programs -r → EACCES
    grace: mv /.gristmill/jobs /jobs → EACCES`,
  'permissions hold for every user but the superuser': `
    alice: mkdir /home → 0755
    alice: touch /home/f → ok
    bob: touch /home/g → EACCES
    bob: mkdir /home/d → EACCES
    bob: create /home/g → EACCES
    bob: create /home/d/g -p → EACCES
    bob: rm /home/f → EACCES
    bob: stat /home/f → file alice:grace 0644 0
    bob: touch /home/f → EACCES
    alice: chmod /home 700 → 0700
    bob: stat /home/f → EACCES
    bob: ls /home → EACCES
    grace: ls /home → /home/f
    alice: chmod /home 711 → 0711
    bob: stat /home/f → file alice:grace 0644 0
    bob: ls /home → EACCES
    bob: chmod /home/f 777 → EACCES
    alice: chown /home/f bob → EACCES
    alice: chgrp /home/f staff → EACCES
    alice: chgrp /home/f alice → alice
    grace: chown /home/f bob → bob
    bob: chmod /home/f 600 → 0600
    alice: stat /home/f → file bob:alice 0600 0`,
  'in a sticky directory every user keeps their own entries': `
    alice: touch /a → ok
    bob: rm /a → EACCES
    bob: mv /a /b → EACCES
    bob: touch /c → ok
    bob: mv /c /a -f → EACCES
    alice: mv /a /b → ok
    bob: create /b -f → EACCES
    grace: rm /b → ok
    alice: mkdir /.gristmill/programs/x → 0755
    bob: rm /.gristmill/programs/x -r → EACCES`,
  'a file appears when it is complete, whole': `
    grace: create /f → lease 5 blocks 1
    grace: stat /f → ENOENT
    grace: ls / → nothing
    grace: create /f → EBUSY
    grace: touch /f → EBUSY
    grace: allocate 5 2 → blocks 2 3
    grace: complete 5 1:10 9:10 → EINVAL
    grace: complete 5 1:10 1:10 → EINVAL
    grace: complete 5 1:0 → EINVAL
    grace: complete 5 1:100001 → EINVAL
    grace: complete 5 3:100000 1:7 → /f 100007 bytes in 2 unused 2
    grace: stat /f → file grace:grace 0644 100007
    grace: complete 5 → LEASE_EXPIRED
    grace: allocate 5 1 → LEASE_EXPIRED
    grace: create /f → EEXIST
    grace: create /f -f → lease 6 blocks 4
    grace: stat /f → file grace:grace 0644 100007
    grace: complete 6 4:9 → /f 9 bytes in 1 unused
    grace: stat /f → file grace:grace 0644 9
    grace: sweep → blocks 1 3
    grace: setrep /f 5 → 5
    grace: setrep / 5 → EISDIR
    grace: counts → 1 files 0 directories 1 blocks 0 leases 0 doomed`,
  'a writer is alone, until it gives up or is given up': `
    alice: create /f → lease 5 blocks 1
    bob: allocate 5 1 → EACCES
    bob: complete 5 1:1 → EACCES
    bob: abandon 5 → EACCES
    bob: replace /f 4 → EBUSY
    bob: replace /f 5 → lease 6 blocks 2
    alice: complete 5 1:1 → LEASE_EXPIRED
    alice: abandon 5 → unused
    bob: abandon 6 → unused 2
    alice: create /f → lease 7 blocks 3
    alice: complete 7 → /f 0 bytes in 0 unused 3
    alice: counts → 1 files 0 directories 0 blocks 0 leases 0 doomed`,
  'a file follows its directory while it is written, and dies with it': `
    grace: create /a/b/f -p → lease 7 blocks 1
    grace: mv /a /z → ok
    grace: complete 7 1:1 → /z/b/f 1 bytes in 1 unused
    grace: create /z/b/g → lease 8 blocks 2
    grace: mkdir /z/b/h → 0755
    grace: create /z/b/h/i → lease 10 blocks 3
    grace: rm /z -r → ok
    grace: complete 8 2:1 → ENOENT
    grace: sweep → blocks 1
    grace: complete 10 3:1 → ENOENT
    grace: abandon 8 → unused 2
    grace: abandon 10 → unused 3
    grace: counts → 0 files 0 directories 0 blocks 0 leases 0 doomed`,
  'what came into being while a file was written is not replaced unless that was asked for': `
    grace: create /f → lease 5 blocks 1
    grace: touch /g → ok
    grace: mv /g /f → ok
    grace: complete 5 1:1 → EEXIST
    grace: stat /f → file grace:grace 0644 0
    grace: rm /f → ok
    grace: mkdir /f → 0755
    grace: complete 5 1:1 → EISDIR
    grace: rm /f → ok
    grace: complete 5 1:1 → /f 1 bytes in 1 unused
    grace: create /f/x → ENOTDIR
    grace: create / -f → EISDIR`,
}

for (const [title, scenario] of Object.entries(scenarios)) {
  test(title, async () => {
    const { got, want } = await play(scenario)
    expect(got).toBe(want)
  })
}

test('a directory is listed page by page, each name once', async () => {
  const bench = await openBench()
  const names = Array.from({ length: 250 }, (_, i) => `n${String(i).padStart(3, '0')}`)
  await Promise.all(names.map(name => run(bench, root, `touch /${name}`)))
  const seen: string[] = []
  for (let after: string | undefined; ;) {
    const page = list(bench.journal.view, root, { path: '/', after, limit: 100 })
    expect(page.entries.length).toBeLessThanOrEqual(100)
    seen.push(...page.entries.map(entry => entry.path.slice(1)))
    if (page.next === undefined) break
    after = page.next
  }
  expect(seen).toEqual(names)
})

test('a summary counts everything below, without the system\'s own', async () => {
  const bench = await openBench()
  for (const command of ['mkdir /a/b -p', 'create /a/f', 'complete 7 1:100', 'create /a/b/g', 'complete 8 2:50', 'touch /h'])
    await run(bench, root, command)
  const world = { yield: () => bench.clock.yield(), signal: new AbortController().signal }
  expect(await summary(bench.journal.view, root, '/', world)).toEqual({ files: 3, directories: 3, bytes: 150, stored: 300 })
  expect(await summary(bench.journal.view, root, '/a/f', world)).toEqual({ files: 1, directories: 0, bytes: 100, stored: 200 })
})

test('a summary lets others in after every thousand names and after every directory, and ends when its caller goes away', async () => {
  const bench = await openBench()
  for (const command of ['mkdir /a/b -p', 'mkdir /a/c']) await run(bench, root, command)
  await Promise.all(
    Array.from({ length: 2_500 }, (_, i) =>
      bench.journal.submit(touch, { path: `/a/b/f${i}`, replication: 1, blockBytes: 1, nowMs: 0, ...root }),
    ),
  )
  const gone = new AbortController()
  const turns: number[] = []
  const world = { yield: async () => { turns.push(turns.length) }, signal: gone.signal }
  expect(await summary(bench.journal.view, root, '/a', world)).toEqual({ files: 2_500, directories: 3, bytes: 0, stored: 0 })
  expect(turns).toHaveLength(5) // /a, three for /a/b, /a/c
  await expect(
    summary(bench.journal.view, root, '/a', {
      ...world,
      yield: async () => {
        gone.abort()
      },
    }),
  ).rejects.toMatchObject({ code: 'ABORTED' })
})

test('a removed tree of any size is swept in small steps, and every block is reported once', async () => {
  const bench = await openBench()
  const blocks = 700
  await run(bench, root, 'mkdir /t/u/v -p')
  const { lease } = await bench.journal.submit(create, { path: '/t/u/big', replication: 1, blockBytes: 4096, blocks, nowMs: 0, ...root })
  await bench.journal.submit(complete, {
    lease,
    blocks: Array.from({ length: blocks }, (_, i) => ({ id: blockId(blocks - i), length: 10, crc: 1, aligned: false })),
    nowMs: 0, ...root,
  })
  for (let i = 0; i < 50; i++) await run(bench, root, `touch /t/u/v/f${i}`)
  await run(bench, root, 'rm /t -r')
  const gone: number[] = []
  let steps = 0
  for (let more = true; more; steps++) {
    const swept = await bench.journal.submit(sweep, { limit: 20 })
    expect(swept.blocks.length).toBeLessThanOrEqual(256)
    gone.push(...swept.blocks)
    more = swept.more
  }
  expect(steps).toBeGreaterThan(5)
  expect(gone.sort((a, b) => a - b)).toEqual(Array.from({ length: blocks }, (_, i) => i + 1))
  expect(await run(bench, root, 'counts')).toBe('0 files 0 directories 0 blocks 0 leases 0 doomed')
  expect(bench.store.dump().split('\n').filter(line => /^(children|files|blocks|directories|doomed) /.test(line))).toHaveLength(4 + 3)
})
