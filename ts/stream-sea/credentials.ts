/** How a client says on a WebSocket who it is. */
export type Credentials =
  | { readonly clientId: string; readonly clientSecret: string }
  /** A token, or what gives a fresh one for every connection. */
  | { readonly clientId: string; readonly jwt: string | (() => string | Promise<string>) }

/** The payload of `authenticate`. */
export async function authenticationPayload(credentials: Credentials): Promise<Record<string, string>> {
  const { clientId } = credentials
  if ('clientSecret' in credentials) return { type: 'basic', clientId, clientSecret: credentials.clientSecret }
  const { jwt } = credentials
  return { type: 'jwt', clientId, jwt: typeof jwt === 'string' ? jwt : await jwt() }
}
