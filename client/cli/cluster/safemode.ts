// safemode: shows, enters or leaves safe mode, or waits until it is over.

import { GristmillError } from '../../../src/base/errors.ts'
import { formatDuration, parseDuration } from '../../../src/base/units.ts'
import type { SafeModeState } from '../../../src/protocol/safety.ts'
import type { CommandContext } from '../context.ts'
import { formatCount, plural } from '../display.ts'
import { option, type CommandSpec } from '../spec.ts'
import { waitFor } from '../waiting.ts'

export const safemode: CommandSpec = {
  name: 'safemode', args: '', about: 'show, enter or leave safe mode',
  notes:
    'A namenode starts in safe mode until datanodes have reported their blocks. Reads work in safe mode; changes, copies and deletions do not. '
    + 'Without a verb, shows the state.',
  options: [],
  examples: [['gristmill safemode', 'state and reason'], ['gristmill safemode wait --timeout 5m', 'after a start']],
  run: asked('get'),
  verbs: [
    {
      name: 'get', args: '', about: 'show whether the namenode is in safe mode, and why',
      options: [], examples: [['gristmill safemode get', 'on or off, with the reason']],
      run: asked('get'),
    },
    {
      name: 'enter', args: '', about: 'stop all changes, copies and deletions until `leave` or a restart',
      options: [], examples: [['gristmill safemode enter', 'reads go on']],
      run: asked('enter'),
    },
    {
      name: 'leave', args: '', about: 'end safe mode, however it began',
      notes:
        'A namenode that cannot tell whether its directory is an old copy then takes it for the latest, and no longer waits for the datanodes '
        + 'that are missing. Before you confirm that, make sure that they will not come back.',
      options: [], examples: [['gristmill safemode leave', 'changes are possible again']],
      run: asked('leave'),
    },
    {
      name: 'wait', args: '', about: 'return when safe mode is over',
      notes: 'Also waits for a namenode that does not answer yet.',
      options: [option('--timeout <time>', 'maximum wait (default: 60s)', { parse: parseDuration })],
      examples: [['gristmill safemode wait --timeout 5m', 'after a start']],
      run: async (context: CommandContext, _operands: readonly string[], { timeout = 60_000 }: { timeout?: number }) =>
        tell(context, await untilOver(context, timeout)),
    },
  ],
}

function asked(action: 'get' | 'enter' | 'leave') {
  return async (context: CommandContext): Promise<void> =>
    tell(context, await (await context.mill()).safeMode(action, { signal: context.signal }))
}

async function tell({ json, printer }: CommandContext, state: SafeModeState): Promise<void> {
  if (json) return printer.json(state)
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
    stepOf: state => ({ done: state.present, total: state.blocks, text: why(state) }),
    isDone(state) {
      if (state.on && clock.mono() >= until)
        throw new GristmillError('TIMEOUT', `still in safe mode after ${formatDuration(timeoutMs)}: ${why(state)}`, {
          details: { ...state },
        })
      return !state.on
    },
  })
}

const why = ({ behind, doubt, manual, blocks, present, awaited }: SafeModeState): string => behind ?? doubt ?? (manual
  ? 'entered by an operator; gristmill safemode leave ends it'
  : `replicas of ${formatCount(present)} of ${plural(blocks, 'block')} are known, ${awaited === 0 && present < blocks
    ? 'and all datanodes have reported; if the missing blocks (see gristmill fsck) are lost for good, gristmill safemode leave ends it'
    : `${plural(awaited, 'datanode has', 'datanodes have')} not reported`}`)
