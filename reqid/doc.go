// Package reqid makes request ids that are unique, sort by time, and, for refusals, carry sealed evidence: which zone and
// rule refused, and why. Whoever holds the key can explain a refusal from its id alone, after every log has forgotten it.
//
// An ID is 12 bytes, in text 20 characters of Crockford's base 32 in lower case. A sealed id has 26 more, so its first 20
// characters are those of the id that logs hold.
//
// The seal is AES-128 as a tweakable block cipher, C = E₁(P ⊕ T) ⊕ T with T = E₂(id) (XEX: Rogaway, Efficient
// Instantiations of Tweakable Blockciphers, 2004), over a block of which 9 bytes are the evidence and 7 are fixed
// (encode-then-encipher: Bellare and Rogaway, 2000). There is no nonce to misuse: the id is the tweak, so evidence cannot
// be moved to another id, and the fixed bytes, 6 of them zero and one the version of the layout, make a forgery pass with a
// chance of 2⁻⁵⁶. The same evidence sealed twice into one id gives the same text. The evidence is secret from visitors;
// the id's time, node and sequence are not.
//
// Nothing here grows: a Generator has a counter for each shard, 64 bytes, and a text that is not an id is refused by its
// length. Making and sealing ids cannot fail; parsing and opening return ErrNotID, ErrNotSealed or
// ErrSeal.
package reqid
