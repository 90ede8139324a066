// safemode: shows, enters or leaves safe mode, or waits until it is over.

import { GristmillError } from '../../../src/base/errors.ts'
import { formatDuration } from '../../../src/base/units.ts'
import type { SafeModeState } from '../../../src/protocol/safety.ts'
import { formatCount, plural } from '../format.ts'
import type { CommandContext } from '../context.ts'
import { oneOf } from '../spec.ts'
import { waitFor } from '../waiting.ts'

const actionOf = oneOf('get', 'enter', 'leave', 'wait')

export async function run(
  context: CommandContext, [word = 'get']: readonly string[], { timeout = 60_000 }: { timeout?: number },
): Promise<void> {
  const { printer, signal } = context
  const action = asked(word)
  const state = action === 'wait' ? await untilOver(context, timeout) : await (await context.mill()).safeMode(action, { signal })
  if (context.json) return printer.json(state)
  await printer.line(state.on ? `on: ${why(state)}` : 'off')
}

/** A namenode that does not answer yet, because it is starting, is waited for within the timeout. */
async function untilOver(context: CommandContext, timeoutMs: number): Promise<SafeModeState> {
  const { clock } = await context.world()
  const until = clock.mono() + timeoutMs
  return waitFor(context, {
    label: 'safe mode',
    awayMs: timeoutMs,
    look: async () => (await context.mill()).safeMode('get', { signal: context.signal }),
    stepOf: state => ({ done: state.present, total: state.blocks, said: why(state) }),
    isDone(state) {
      if (state.on && clock.mono() >= until)
        throw new GristmillError('TIMEOUT', `still in safe mode after ${formatDuration(timeoutMs)}: ${why(state)}`, {
          details: { ...state },
        })
      return !state.on
    },
  })
}

function asked(word: string): ReturnType<typeof actionOf> {
  try {
    return actionOf(word)
  } catch (error) {
    throw new GristmillError('USAGE', (error as Error).message, { cause: error })
  }
}

const why = ({ behind, doubt, manual, blocks, present, awaited }: SafeModeState): string => behind ?? doubt ?? (manual
  ? 'entered by an operator; gristmill safemode leave ends it'
  : `replicas of ${formatCount(present)} of ${plural(blocks, 'block')} are known, ${awaited === 0 && present < blocks
    ? 'and all datanodes have reported; if the missing blocks (see gristmill fsck) are lost for good, gristmill safemode leave ends it'
    : `${plural(awaited, 'datanode has', 'datanodes have')} not reported`}`)
