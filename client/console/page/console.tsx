// Entry of the page: mounts it, and shows the page of the URL.

import { render } from 'preact'
import './console.css'
import { followLogin, openSession, session } from './api.ts'
import { followLive } from './live.ts'
import { ComparePage } from './pages/compare.tsx'
import { FilesPage } from './pages/files.tsx'
import { JobPage } from './pages/job.tsx'
import { JobsPage } from './pages/jobs.tsx'
import { LoginPage } from './pages/login.tsx'
import { NodePage } from './pages/node.tsx'
import { NodesPage } from './pages/nodes.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { QueuesPage } from './pages/queues.tsx'
import { SqlPage } from './pages/sql.tsx'
import { TablePage, TablesPage } from './pages/tables.tsx'
import { TrashPage } from './pages/trash.tsx'
import { UsersPage } from './pages/users.tsx'
import { followLinks, route } from './route.ts'
import { Empty, Loading } from './parts/states.tsx'
import { Shell, Title } from './parts/shell.tsx'

function Page() {
  const { room, rest } = route.value
  switch (room) {
    case '':
      return <OverviewPage />
    case 'nodes':
      return rest === '' ? <NodesPage /> : <NodePage key={rest} id={rest} />
    case 'files':
      return <FilesPage key={rest} path={`/${rest}`} />
    case 'trash':
      return <TrashPage />
    case 'compare':
      return <ComparePage />
    case 'queues':
      return <QueuesPage />
    case 'tables':
      return rest === '' ? <TablesPage /> : <TablePage key={rest} name={rest} />
    case 'users':
      return <UsersPage />
    case 'sql':
      return <SqlPage />
    case 'jobs':
      return rest === '' ? <JobsPage /> : <JobPage key={rest} id={rest} />
    default:
      return (
        <>
          <Title text="No page" />
          <Empty title="There is no such page">
            The address of this page leads nowhere. <a href="/">Go to the overview</a>
          </Empty>
        </>
      )
  }
}

function App() {
  const { state } = session.value
  if (state === 'opening') return <Loading what="the console" />
  if (state === 'out' || route.value.room === 'login') return <LoginPage />
  return (
    <Shell>
      <Page />
    </Shell>
  )
}

followLinks()
followLive()
followLogin()
void openSession()
render(<App />, document.getElementById('app')!)
