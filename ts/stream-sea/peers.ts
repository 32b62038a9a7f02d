/** What servers say to one another. */
export type Asked = { readonly type: string } & Record<string, unknown>

/** What a server does with what others say. */
export interface PeersHandler {
  /** Answers; a rejection is told as a refusal. */
  asked(message: Asked): Promise<unknown>
  told(message: Asked): void
  /** The connection to the others was away, and is back. */
  returned(): void
}

/** The other servers of a log that several share, and who of them keeps which group. */
export interface Peers {
  /** This server. */
  readonly id: string
  listen(handler: PeersHandler): void
  /** Takes a group for this server unless another one that is there keeps it; gives who does. */
  claim(group: string): Promise<string>
  /** Gives a group up that this server keeps. */
  release(group: string): Promise<void>
  /** Rejects when the other one is not there, or refuses. */
  ask(server: string, message: Asked): Promise<unknown>
  tell(server: string, message: Asked): void
  isThere(server: string): Promise<boolean>
}
