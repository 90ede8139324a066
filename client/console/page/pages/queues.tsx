// Queues: the share of slots of each, and what waits.

import type { QueueStatus } from '../../../../src/protocol/job.ts'
import { call } from '../api.ts'
import { formatCount, plural, visible } from '../format.ts'
import { live } from '../live.ts'
import { Title } from '../parts/shell.tsx'
import { Bar } from '../parts/small.tsx'
import { Empty, Shown, useAsked } from '../parts/states.tsx'
import { Table, type TableColumn } from '../parts/table.tsx'

const columnsFor = (slots: number): readonly TableColumn<QueueStatus>[] => [
  { title: 'Queue', value: ({ name }) => name, cell: ({ name }) => visible(name) },
  { title: 'Weight', number: true, value: ({ weight }) => weight, cell: ({ weight }) => formatCount(weight) },
  { title: 'Jobs', number: true, value: ({ jobs }) => jobs, cell: ({ jobs }) => formatCount(jobs) },
  {
    title: 'Running tasks',
    value: ({ running, slotsMax }) => `${running} of ${slotsMax ?? slots}`,
    order: ({ running }) => running,
    cell: ({ running, slotsMax }) => (
      <span class="with-bar">
        <Bar part={running} whole={slotsMax ?? slots} label={`${running} of ${slotsMax ?? slots} slots`} />
        {formatCount(running)} of {formatCount(slotsMax ?? slots)}
      </span>
    ),
  },
  { title: 'Waiting tasks', number: true, value: ({ waiting }) => waiting, cell: ({ waiting }) => formatCount(waiting) },
]

export function QueuesPage() {
  // Asked again when something has changed.
  const asked = useAsked(signal => call('job.queues', {}, signal), [live.value.atMs])
  return (
    <>
      <Title text="Queues">
        <a href="/jobs">Jobs</a> <span aria-hidden="true">/</span> Queues
      </Title>
      <Shown asked={asked} what="the queues">
        {({ queues, slots }) => (
          <>
            <p class="dim">Jobs get {plural(slots, 'slot')} by the weights of their queues.</p>
            <Table
              label="queues"
              columns={columnsFor(slots)}
              rows={queues}
              keyOf={({ name }) => name}
              empty={<Empty title="No queue has a job">A job goes into one with --queue.</Empty>}
            />
          </>
        )}
      </Shown>
    </>
  )
}
