// Scenarios of the scheduler as text tables: events, each with its expected effects. Attempts are written `stage.task.number`; the job is
// the last one that was submitted.

import type { Effect } from '../../../../../namenode/jobs/scheduler/event.ts'
import { attemptId, attemptParts, jobId, nodeId, type AttemptId } from '../../../../../src/base/ids.ts'
import { Bench, doneReport } from './kit.ts'

/** Runs a scenario: lines without indent are events, indented lines their expected effects. Throws at the first difference. */
export function scenario(text: string): Bench {
  const bench = new Bench()
  let job = jobId('job-1')
  const id = (short: string) => {
    const [stage, task, attempt] = short.split('.').map(Number)
    return attemptId({ job, stage: stage!, task: task!, attempt: attempt! })
  }
  const steps: Array<{ line: string; wanted: string[] }> = []
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*/, '').trimEnd()
    if (line.trim() === '') continue
    if (/^\s*->/.test(line)) steps.at(-1)!.wanted.push(line.replace(/^\s*->\s*/, ''))
    else steps.push({ line: line.trim(), wanted: [] })
  }
  for (const { line, wanted } of steps) {
    const found = act(line).filter(effect => effect.kind !== 'changed' && effect.kind !== 'tried').map(show)
    if (found.join('\n') !== wanted.join('\n')) {
      throw new Error(`after "${line}"\nwanted:\n  ${wanted.join('\n  ')}\nfound:\n  ${found.join('\n  ')}`)
    }
  }
  return bench

  function act(line: string): Effect[] {
    const [verb, ...words] = line.split(/\s+/)
    const option = (name: string) => words.find(word => word.startsWith(`${name}=`))?.slice(name.length + 1)
    const node = nodeId(words.at(-1) ?? '')
    switch (verb) {
      case 'open':
        return bench.apply({ kind: 'opened' })
      case 'join': {
        const attempts = option('running')?.split(',').map(id) ?? []
        return bench.apply({
          kind: 'joined', node: nodeId(words[0]!), rack: option('rack') ?? 'r', host: words[0]!, slots: Number(option('slots') ?? 1),
          attempts, closed: words.includes('closed'),
        })
      }
      // submit maps=a|b,c|- reduces=1: the first map's input is on a, the second's on b and c, the third's at no known node.
      case 'submit': {
        const places = (option('maps') ?? '')
          .split('|')
          .filter(Boolean)
          .map(nodes => (nodes === '-' ? [] : nodes.split(',').map(nodeId)))
        const submitted = bench.submit({
          maps: places.length, reduces: Number(option('reduces') ?? 0), attemptsMax: Number(option('attempts') ?? 4),
          check: words.includes('check'),
        }, places)
        job = submitted.job
        return submitted.effects
      }
      // As `open`, and `join` for each node.
      case 'nodes':
        return ['open', ...words.map(name => `join ${name}`)].flatMap(act)
      // As `done`, then `journal`; the commit and its answer are expected.
      case 'ran': {
        const committed = act(`done ${words.join(' ')}`).filter(effect => effect.kind !== 'changed' && effect.kind !== 'tried').map(show)
        const [answer, ...more] = act('journal').filter(effect => effect.kind !== 'changed' && effect.kind !== 'tried')
        const found = [...committed, answer && show(answer)].join(', ')
        const wanted = `commit ${words[0]}, answer ${words[0]} committed`
        if (found !== wanted) throw new Error(`after "${line}"\nwanted: ${wanted}\nfound: ${found}`)
        return more
      }
      case 'offer':
        return bench.apply({ kind: 'offered', node })
      case 'close':
        return bench.apply({ kind: 'closed', node })
      case 'silence':
        return bench.apply({ kind: 'stale', node })
      case 'return':
        return bench.apply({ kind: 'returned', node })
      case 'leave':
        return bench.apply({ kind: 'left', node })
      case 'die':
        return bench.apply({ kind: 'dead', node })
      case 'tick': {
        const ms = Number(words[0] ?? 0)
        bench.at = { nowMs: bench.at.nowMs + ms, monoMs: bench.at.monoMs + ms }
        return bench.apply({ kind: 'tick' })
      }
      case 'done':
        return bench.apply({ kind: 'finished', ...doneReport(node, id(words[0]!), bench.kept.get(job)!.spec) })
      case 'fail': {
        const cause = (option('cause') ?? 'program') as 'program'
        const missing = option('missing')?.split(',').map(id)
        const failure = { code: option('code') ?? 'TASK_FAILED', message: 'no' }
        return bench.apply({
          kind: 'finished', node, attempt: id(words[0]!),
          outcome: { kind: 'failed', cause, failure, counters: {}, ...(missing && { missing }) },
        })
      }
      case 'progress':
        return bench.apply({ kind: 'progressed', node, attempts: [{ attempt: id(words[0]!), counters: {}, fraction: Number(words[1]) }] })
      case 'kill':
        return bench.apply({ kind: 'kill', job })
      case 'journal':
        return bench.settle()
      case 'restart':
        return bench.restart()
      default:
        throw new Error(`no such step: ${line}`)
    }
  }

  function short(attempt: AttemptId): string {
    const parts = attemptParts(attempt)
    const other = parts.job === job ? '' : `${parts.job}:`
    return `${other}${parts.stage}.${parts.task}.${parts.attempt}`
  }

  function show(effect: Effect): string {
    switch (effect.kind) {
      case 'run': return `run ${short(effect.attempt)} on ${effect.node} (${effect.locality})`
      case 'kill': return `kill ${short(effect.attempt)} on ${effect.node}`
      case 'forget': return `forget on ${effect.node}`
      case 'commit': return `commit ${short(effect.record.won!.attempt)}`
      case 'lose': return `lose ${short(effect.attempt)}`
      case 'finish': return `finish ${effect.status.state}: ${effect.status.failure?.code}${effect.keep ? ', kept' : ''}`
      case 'publish': return 'publish'
      case 'answer': return `answer ${short(effect.attempt)} ${effect.committed ? 'committed' : 'too late'}`
      case 'rewrite': return `rewrite ${effect.stage}`
      case 'tried': return `tried ${effect.record.stage}.${effect.record.task}`
      case 'changed': return 'changed'
    }
  }
}
