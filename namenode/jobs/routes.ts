// Routes of jobs: calls of their owners (owners.ts, lookup.ts) and of datanodes (taskcalls.ts).

import * as protocol from '../../src/protocol/job.ts'
import * as task from '../../src/protocol/task.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { JobsDeps } from './deps.ts'
import type { Engine } from './engine.ts'
import { newest } from './listing.ts'
import { JobLookup } from './lookup.ts'
import { OwnerCalls } from './owners.ts'
import { keptPatterns } from './publish/kept.ts'
import { StepWaits } from './stepwaits.ts'
import { TaskCalls } from './taskcalls.ts'

export function jobRoutes(engine: Engine, deps: JobsDeps): Route[] {
  const steps = new StepWaits({ jobs: engine.scheduler.jobs, clock: deps.clock })
  const lookup = new JobLookup(engine.scheduler, { ...deps, waits: steps })
  const owners = new OwnerCalls(engine, deps, { lookup, waits: steps })
  const tasks = new TaskCalls(engine, deps)
  return [
    route(protocol.splits, (request, context) => owners.addPage(request, context)),
    route(protocol.submit, ({ spec }, context) => owners.submit(spec, context)),
    route(protocol.watch, ({ job, after }, context) => owners.watch(job, after, context)),
    route(protocol.jobs, ({ limit = 100, before }) => {
      const { jobs: running, waits } = engine.scheduler
      return newest({ store: deps.store, running, waits: job => waits(job) ?? steps.of(job.id) }, { limit, before })
    }),
    route(protocol.queues, () => engine.scheduler.queueStatus),
    route(protocol.patterns, ({ job }, { user }) => ({ patterns: keptPatterns(deps.actor(user), lookup.head(job)) })),
    route(protocol.tasks, ({ job, stage, from, limit }) => lookup.tasks(job, stage, from, limit)),
    route(protocol.kill, ({ job }, context) => owners.kill(job, context)),
    route(protocol.publish, (request, context) => owners.publish(request, context)),
    route(protocol.drop, (request, context) => owners.drop(request, context)),
    route(protocol.logPlaces, ({ job, from }) => lookup.logs(job, from)),
    route(task.finished, report => tasks.finished(report)),
    route(task.progress, request => tasks.progress(request)),
    route(task.outputs, ({ job, stage }) => tasks.outputs(job, stage)),
  ]
}
