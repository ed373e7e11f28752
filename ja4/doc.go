// Package ja4 reads the ClientHello that a TLS connection begins with, and names the client that sent it by its JA4
// fingerprint: which versions, cipher suites, extensions and signature algorithms it offers. The fingerprint is the same
// for every connection of one build of a browser or library, whatever its address, so it tells a flood's tool from the
// people it hides among; it is easily copied, so it is evidence and not proof.
//
// The method is FoxIO's (https://github.com/FoxIO-LLC/ja4, technical_details/JA4.md, BSD 3-Clause); the code is not.
//
// Parse takes what crypto/tls takes, save what no client does: a hello of more than MaxHello bytes, one in more than
// MaxRecords records, or an alert before it. It looks into the extensions that Hello tells of and no further: crypto/tls
// judges the others when it shakes hands.
//
// Everything is bounded by MaxHello, and every path is at most n log n in it. Parse may be called each time more bytes
// have arrived: bytes that cannot become a hello fail as soon as they show it (ErrHTTP, ErrNotTLS, ErrMalformed,
// ErrTooLarge), and no call on an incomplete hello reads more than the headers of MaxRecords records.
package ja4
