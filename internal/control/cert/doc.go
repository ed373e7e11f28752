// Package cert obtains certificates from authorities that speak ACME (RFC 8555), keeps them renewed, and answers the authorities'
// challenges.
//
// It is told the hosts that want a certificate, and knows nothing of zones. Each host is tended by one goroutine, at its own pace: a host
// that can't be validated waits longer and longer (from two minutes to six hours) and delays no other. Renewal is when the authority
// suggests it (ARI, RFC 9773), else in the last third of a certificate's life.
//
// Certmagic stores, makes keys and requests, and decides when to renew; acmez speaks the protocol. Certmagic's own ACME issuer is not
// used, as it opens ports 80 and 443 by itself while a challenge is pending. Here the handshakes and requests that the node serves anyway
// carry the answers: [Manager.Certificate] and [Manager.Challenge] only look into memory. Nor are its own clocks and retries used, which
// sleep in a pool of workers that all hosts share, or its lock files: a data folder is one node's.
//
// It is bounded by the number of hosts, by how many of them are busy with an authority at one time, by the time that each may take and by
// the size of what an authority sends. It fails by having no certificate, which the next attempt may change; [Manager.Status] says why.
package cert
