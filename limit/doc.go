// Package limit meters requests with the generic cell rate algorithm (GCRA: ITU-T I.371 annex A; the leaky bucket as a
// meter): for many keys in a Table of fixed memory, and for one thing in a Meter.
//
// A key's state is one time, its theoretical arrival time; how far that lies ahead of now is the key's debt. A key admits
// at most its burst, and then its sustained rate; refusals cost it nothing. A key without debt and a key the table has
// never seen are the same, so keys need no deletion: a new key takes the place of one that has no debt.
//
// # Bounds
//
// A Table has 18.3 bytes a key, allocated at once. A key may be in any of the 7 ways of one set. When all 7 are in debt, a
// new key is admitted all the same, and the way whose debt is the smallest part of its burst is forgotten: that key gets
// its burst back before its time, and Stats counts it. Size a table for twice the keys in debt at one time: measured in the
// tests, under 0.1 % of keys are forgotten when the table is a quarter full, 1.5 % half full, 6.5 % three quarters full,
// and 15 % when as many keys as the capacity are live.
//
// Inventing keys does not reset those who matter. While 10 times the capacity of invented keys pass in a second, at most
// 0.04 % of the requests of keys that ask ten times their rate of 100/s (burst 50) are wrongly admitted, and those at
// their beginning, if each invented key uses at most half its burst, at whatever rate; 1.4 % if each uses up its burst, at
// the same rate. The worst is a table filled wholly with used-up bursts of a limit that drains in minutes: hot keys of a
// limit that drains in half a second are then forgotten again and again (79 % wrongly admitted). That takes as many
// sources as the capacity, each using up a burst; a limit whose burst is 1 makes it cheap. Limits that drain in seconds and
// in hours (Rate.Drain) want tables of their own.
//
// Keys are told apart by all their 64 bits, so strangers practically never pay for one another: with a million keys live, a
// new one is mistaken for another once in 2⁴⁴. What is forgotten only ever admits more.
//
// # Failure
//
// Nothing fails but a Rate that makes no sense, which NewRate refuses. The clock is the caller's: callers that run at the
// same time should agree within a second; a clock that goes back makes debts look larger, at most by a whole burst.
package limit
