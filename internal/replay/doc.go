// Package replay runs recorded traffic through rules, to see what they would have done, and to whom, before they are in force.
//
// It learns an access log (combined and common, JSON of whoever's, our own) and one or two sets of rules, and writes a [Report]. Requests are
// judged by a verdict's policy as an edge would judge them, in the time of the log. What a log has not, such as other header fields than
// Referer and User-Agent, or TLS, is missing for the rules, too.
//
// Memory is bounded whatever the log's length: a line has at most 64 KiB, of each rule there are a few samples, and different clients are
// counted exactly up to 4,096 and by a sketch beyond, within about 2%. A line that can't be read is counted and passed over; what fails is
// reading the file, or rules that don't compile.
package replay
