// Frame of every page: navigation, state of the connection, user.

import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { logout, session } from '../api.ts'
import { sentence, visibleLines } from '../format.ts'
import { live } from '../live.ts'
import { route } from '../route.ts'
import { Dialogs } from './dialog.tsx'
import { setUtc, utc } from '../times.ts'
import { Uploads } from './uploads.tsx'

const rooms = [
  { room: '', url: '/', title: 'Overview', icon: 'M3 12h4l3-8 4 16 3-8h4' },
  { room: 'nodes', url: '/nodes', title: 'Nodes', icon: 'M4 5h16v5H4zM4 14h16v5H4zM8 7.500h.01M8 16.500h.01' },
  { room: 'files', url: '/files/', title: 'Files', icon: 'M3 6h6l2 2h10v11H3z' },
  { room: 'jobs', url: '/jobs', title: 'Jobs', icon: 'M5 6h5v5H5zM14 6h5v5h-5zM9.500 15h5v4h-5zM7.500 11v2h9v-2M12 13v2' },
  { room: 'sql', url: '/sql', title: 'SQL', icon: 'M3 5h18v14H3zM7 9l3 3-3 3M12 15h5' },
] as const

const parents: Readonly<Record<string, string>> = { trash: 'files', compare: 'jobs', queues: 'jobs', tables: 'sql', users: '' }

export function Shell({ children }: { readonly children: ComponentChildren }) {
  const { room } = route.value
  const here = parents[room] ?? room
  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={event => {
          event.preventDefault()
          document.getElementById('main')?.focus()
        }}
      >
        Skip to the page
      </a>
      <header class="bar">
        <a class="brand" href="/" aria-label="gristmill, overview">
          <Mark />
          gristmill
        </a>
        <nav aria-label="Pages">
          {rooms.map(({ room: name, url, title, icon }) => (
            <a key={name} href={url} aria-current={here === name ? 'page' : undefined}>
              <svg viewBox="0 0 24 24" aria-hidden="true">
                <path d={icon} />
              </svg>
              <span>{title}</span>
            </a>
          ))}
        </nav>
        <Account />
      </header>
      <main id="main" tabIndex={-1}>
        <Connection />
        <Uploads />
        {children}
      </main>
      <Dialogs />
    </div>
  )
}

const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <circle cx="16" cy="16" r="13" />
    <circle cx="16" cy="16" r="3" class="mark-hub" />
    <path d="M16 3c4 3 5.400 6 4.800 9.600M27.300 22.500c-4.600 2-8 1.600-10.500-.6M4.700 22.500c.4-5 2.500-7.700 5.900-8.700" />
  </svg>
)

function Account() {
  const current = session.value
  const { lost, trouble, status } = live.value
  const state = lost !== undefined ? 'lost' : trouble ? 'trouble' : status ? 'live' : 'opening'
  const words = { lost: 'Offline', trouble: 'No answer', live: 'Live', opening: 'Connecting' }[state]
  return (
    <div class="account">
      <span class={`pulse pulse-${state}`}>
        <i aria-hidden="true" />
        {words}
      </span>
      <button
        type="button"
        class="quiet"
        onClick={() => setUtc(!utc.value)}
        title={`Times are ${utc.value ? 'in UTC' : 'local'}; a click changes it`}
      >
        {utc.value ? 'UTC' : 'Local time'}
      </button>
      {current.state === 'in' && (
        <span class="user" title={`cluster ${current.info.cluster}, gristmill ${current.info.version}`}>
          {current.info.user}
        </span>
      )}
      <button type="button" class="quiet" onClick={() => void logout()}>
        Log out
      </button>
    </div>
  )
}

/** Says that what is shown is old, and that the page tries again by itself. */
function Connection() {
  const { lost, trouble } = live.value
  if (lost === undefined && !trouble) return null
  return (
    <div class="banner banner-bad" role="alert">
      <strong>{lost === undefined ? 'The cluster does not answer.' : 'The connection is lost.'}</strong>{' '}
      {sentence(visibleLines(lost ?? trouble!.message))} What you see is from before; the page tries again by itself.
    </div>
  )
}

/** Title of a page, in the document and on the page. It takes the focus when the page is opened. */
export function Title({
  children,
  text,
  actions,
}: {
  readonly text: string
  readonly children?: ComponentChildren
  readonly actions?: ComponentChildren
}) {
  useEffect(() => {
    document.title = `${text} · gristmill ${location.host}`
  }, [text])
  return (
    <div class="title">
      <h1 tabIndex={-1}>{children ?? text}</h1>
      {actions && <div class="actions">{actions}</div>}
    </div>
  )
}
