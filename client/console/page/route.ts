// The URL of the page: `/ROOM/REST`. Links inside of the console change it without a load.

import { signal } from '@preact/signals'

interface Route {
  readonly room: string
  /** Rest of the path, decoded. */
  readonly rest: string
  readonly query: URLSearchParams
}

function read(): Route {
  const [, room = '', ...rest] = location.pathname.split('/')
  return { room, rest: rest.map(decoded).filter(part => part !== '').join('/'), query: new URLSearchParams(location.search) }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const route = signal<Route>(read())

export const fileUrl = (path: string): string => `/files${path.split('/').map(encodeURIComponent).join('/')}`

export function go(url: string): void {
  history.pushState(undefined, '', url)
  route.value = read()
  scrollTo(0, 0)
  // The next Tab begins at the new page, and a screen reader reads its title.
  requestAnimationFrame(() => document.querySelector<HTMLElement>('main h1')?.focus())
}

/** Changes the part of the address behind `?`: a filter, for instance, which a shared link keeps. */
export function setQuery(changes: Readonly<Record<string, string>>): void {
  const query = new URLSearchParams(location.search)
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') query.delete(name)
    else query.set(name, value)
  }
  const text = query.toString()
  history.replaceState(undefined, '', location.pathname + (text && `?${text}`))
  route.value = read()
}

export function followLinks(): void {
  addEventListener('popstate', () => { route.value = read() })
  addEventListener('click', event => {
    const link = (event.target as Element | null)?.closest?.('a')
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    if (link.origin !== location.origin || link.target !== '' || link.hasAttribute('download') || link.pathname.startsWith('/api/')) return
    event.preventDefault()
    go(link.pathname + link.search)
  })
}
