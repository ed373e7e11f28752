// Package verdict weeds: it decides which requests go on, first by their heads alone, then those bound for the origin.
//
// It learns a request's client, source and time, and writes flow.Verdict; one that has to come again over HTTPS it answers itself. order.go alone holds the order in which a request is
// judged; lists and limits know how. What sources and networks have taken is kept by the room in a table of bounded size, by the names of
// zones, so it survives their recompiling; so do the counts of matches, for as long as a policy uses them.
//
// A verdict cannot fail: for want of room in the table it errs for the visitor. A request that passes costs no allocation, a
// refused one at most two small ones.
package verdict
