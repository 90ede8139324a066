// Shown without a session: how to get a link.

import { session } from '../api.ts'
import { Title } from '../parts/shell.tsx'

export function LoginPage() {
  const current = session.value
  const why = current.state === 'out' ? current.why : undefined
  return (
    <main class="login" id="main">
      <Title text="Log in">gristmill</Title>
      {why !== undefined && (
        <p class="banner banner-bad" role="alert">
          {why}
        </p>
      )}
      <p>This console opens with a link that logs in once. To get one, run this where you use the cluster:</p>
      <pre>
        <code>gristmill console</code>
      </pre>
      <p>If this console is served by a gateway, name its address:</p>
      <pre>
        <code>gristmill console --at {location.origin}</code>
      </pre>
    </main>
  )
}
