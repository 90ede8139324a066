// safemode: whether the namenode changes anything now; to make it stop, and go on; or to wait until it does.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SafeModeState } from '../../../src/protocol/safety.ts'
import { formatCount } from '../format.ts'
import type { Context } from '../context.ts'
import { oneOf } from '../spec.ts'

const lookMs = 200
const actionOf = oneOf('get', 'enter', 'leave', 'wait')

export async function run(context: Context, [word = 'get']: readonly string[], { timeout = 60_000 }: { timeout?: number }): Promise<void> {
  const { printer, signal } = context
  const action = asked(word)
  const mill = await context.mill()
  let state = await mill.safeMode(action === 'wait' ? 'get' : action, { signal })
  if (action === 'wait') {
    const { clock } = await context.world()
    const until = clock.mono() + timeout
    while (state.on) {
      if (clock.mono() > until) throw new GristmillError('TIMEOUT', `still in safe mode after ${timeout / 1000} s: ${why(state)}`, { details: { ...state } })
      await clock.sleep(lookMs, signal)
      state = await mill.safeMode('get', { signal })
    }
  }
  if (context.json) return printer.json(state)
  await printer.line(state.on ? `on: ${why(state)}` : 'off')
}

function asked(word: string): ReturnType<typeof actionOf> {
  try {
    return actionOf(word)
  } catch (error) {
    throw new GristmillError('USAGE', (error as Error).message, { cause: error })
  }
}

const why = ({ manual, blocks, present, awaited }: SafeModeState): string => (manual
  ? 'an operator has said so; gristmill safemode leave ends it'
  : `replicas of ${formatCount(present)} of ${formatCount(blocks)} blocks are known, ${formatCount(awaited)} datanodes have not reported`)
