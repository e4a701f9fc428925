/** What a person gave cannot be used; the message is a whole sentence for them. */
export class Refused extends Error {}
