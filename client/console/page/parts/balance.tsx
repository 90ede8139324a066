// Balancing of the datanodes: whether it runs, what it has moved, and starting and stopping it.

import type { BalanceState } from '../../../../src/protocol/service.ts'
import { call } from '../api.ts'
import { formatBytes, formatCount, visible } from '../format.ts'
import { live } from '../live.ts'
import { ask, tell } from './dialog.tsx'
import { Badge, Facts, Panel, Time } from './small.tsx'
import { Shown, useAsked } from './states.tsx'

const bytesPerSecond = 50 * 1024 ** 2

function begin(done: () => void): void {
  ask({
    title: 'Balance the datanodes',
    text: 'Blocks move from full datanodes to emptier ones, with at most 50 MiB a second for each.',
    action: 'Begin',
    input: { label: 'Percentage points by which a datanode may differ from the average', value: '10' },
    run: async text => {
      const threshold = Number(text)
      if (!(threshold >= 0 && threshold <= 100)) throw new Error('Write a number from 0 to 100.')
      await call('service.balance', { threshold, bytesPerSecond })
      done()
      return undefined
    },
  })
}

const stop = (done: () => void): Promise<void> =>
  call('service.stopBalance', {}).then(done, (error: unknown) => tell((error as Error).message, true))

/** Asked again with each news of a balance that runs, and when one begins or ends. */
export function Balance() {
  const { balancing } = live.value.status ?? {}
  const asked = useAsked(signal => call('service.balanceStatus', {}, signal), [JSON.stringify(balancing)])
  return <Shown asked={asked} what="the balance">{state => <Shape state={state} reload={asked.reload} />}</Shown>
}

function Shape({ state, reload }: { readonly state: BalanceState; readonly reload: () => void }) {
  const { running, moves, movedBytes, pending, failures, lowest, average, highest, remark, sinceMs } = state
  return (
    <Panel
      title="Balance"
      actions={
        <button type="button" onClick={() => (running ? void stop(reload) : begin(reload))}>
          {running ? 'Stop' : 'Balance…'}
        </button>
      }
    >
      <Facts
        facts={[
          ['State', running ? <Badge tone="busy">running</Badge> : <Badge tone="dim">not running</Badge>],
          ...(sinceMs === undefined ? [] : [['Since', <Time ms={sinceMs} />] as const]),
          ['Space for blocks in use: fullest, average, emptiest', `${highest.toFixed(1)} %, ${average.toFixed(1)} %, ${lowest.toFixed(1)} %`],
          ['Moved', `${formatCount(moves)} blocks, ${formatBytes(movedBytes)}`],
          ['Under way', formatCount(pending)],
          ['Failed', formatCount(failures)],
          ...(remark === '' ? [] : [['Remark', visible(remark)] as const]),
        ]}
      />
    </Panel>
  )
}
