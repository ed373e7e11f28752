package record

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/seawall/seawall/internal/spec"
)

// Member is one of a line's: its name, and what it tells.
type Member struct{ Name, Meaning string }

// Members are all that a line can have, in a line's order.
func Members() []Member { return slices.Clone(members) }

var members = []Member{
	{"time", "when the request's head had arrived, in UTC"},
	{"id", "the request's id, as `seawall explain` takes it"},
	{"zone", "the zone; \"-\" if none serves the host"},
	{"client", "the client's network (/24 or /48), or its address if whole_addresses is set"},
	{"visitor", "keyed hash of the client's address, under a key of that day; absent if whole_addresses is set"},
	{"method", "the method"},
	{"host", "the host asked for, without its port"},
	{"target", "the request target as received, its first 2 KiB"},
	{"proto", "the protocol, such as HTTP/1.1"},
	{"hfp", "the fingerprint of the head, by the names of its fields; absent for one that was not understood"},
	{"tls", "the TLS version; absent over HTTP"},
	{"ja4", "the JA4 fingerprint of the client's TLS software; absent over HTTP"},
	{"client_subject", "the subject of the client's certificate, if it showed one to a zone that asks for it"},
	{"country", "the country of the client's address: two letters, XX for unknown, T1 for an exit of Tor; absent without node.geo"},
	{"asn", "the number of the autonomous system of the client's address; absent without node.geo"},
	{"bot", "the known crawler that the client was found to be"},
	{"status", "the response's status"},
	{"bytes", "bytes of the response's body"},
	{"ms", "milliseconds from the request's head to the end of the response"},
	{"verdict", "pass, allow (by an allow list) or block"},
	{"rule", "the rule that decided the verdict"},
	{"dry", "rules that would have refused if they were not in a dry run, or undone"},
	{"undone", "true if it was because something is undone (`seawall undo`) that one of these did not refuse"},
	{"cache", "hit, miss, stale, revalidated or bypass"},
	{"cache_reason", "why the cache did not hit, or did not store"},
	{"age", "seconds since the stored response was made or confirmed"},
	{"ttl", "seconds for which it stays fresh; negative if it is stale"},
	{"stored", "true if the response was kept"},
	{"collapsed", "true if the request shared another one's fetch"},
	{"pool", "the zone's pool that a rule routed the request to; absent for the zone's own origin"},
	{"queue_ms", "milliseconds that the request waited for the origin's budget"},
	{"origin", "the server that was asked"},
	{"origin_attempts", "how often the request was sent, retries included"},
	{"origin_reused", "true if a kept connection served"},
	{"origin_status", "the server's status"},
	{"origin_ms", "milliseconds until the server's response began"},
	{"tunnel_ms", "milliseconds that an upgraded connection (a WebSocket) lasted"},
	{"tunnel_sent", "its bytes to the server"},
	{"tunnel_received", "its bytes from the server"},
	{"refusal", "why the request was refused"},
	{"refusal_rule", "the rule that refused it"},
	{"refusal_detail", "the evidence for that"},
	{"retry_after_ms", "milliseconds after which the client was told to come back"},
	{"referer", "the request's Referer"},
	{"agent", "the request's User-Agent"},
	{"error", "why the response did not end as it should"},
	{"sample", "where the log has one in so many requests like this, how many; written whatever the fields"},
}

// CheckLog makes sure that a log can be written as it is wanted.
func CheckLog(s *spec.Log) error {
	if s.Sample < 1 {
		return fmt.Errorf("log.sample: %d is no sample: want 1 to write all requests, or N to write one in N of those without incident", s.Sample)
	}
	for _, name := range s.Fields {
		if !slices.ContainsFunc(members, func(m Member) bool { return m.Name == name }) {
			return fmt.Errorf("log.fields: %q is no field of a line: want some of %s", name, knownNames())
		}
	}
	return nil
}

func knownNames() string {
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// cut is what the log leaves out of the rings' lines.
type cut struct {
	sampled bool            // there are lines that are not in the sample
	names   map[string]bool // of the members to write; nil for all
}

func newCut(s *spec.Log) cut {
	c := cut{sampled: s.Sample > 1}
	if len(s.Fields) > 0 {
		c.names = map[string]bool{"sample": true}
		for _, name := range s.Fields {
			c.names[name] = true
		}
	}
	return c
}

// lines cuts whole lines, in place.
func (c *cut) lines(in []byte) []byte {
	if !c.sampled && c.names == nil {
		return in
	}
	out := in[:0]
	for len(in) > 0 {
		end := bytes.IndexByte(in, '\n') + 1
		line := in[:end]
		in = in[end:]
		switch {
		case c.sampled && bytes.HasSuffix(line, notSampled):
		case c.names == nil:
			out = append(out, line...)
		default:
			out = c.appendWanted(out, line)
		}
	}
	return out
}

// appendWanted appends a line with those members that are wanted. It goes by what appendLine writes: no space, and no value but texts,
// numbers and true. The line may lie in out's room, behind its end.
func (c *cut) appendWanted(out, line []byte) []byte {
	from := len(out)
	out = append(out, '{')
	for rest := line[1:]; len(rest) > 0 && rest[0] == '"'; {
		name := textLength(rest)
		end := name + len(":")
		if rest[end] == '"' {
			end += textLength(rest[end:])
		}
		for rest[end] != ',' && rest[end] != '}' {
			end++
		}
		if c.names[string(rest[1:name-1])] {
			if len(out) > from+1 {
				out = append(out, ',')
			}
			out = append(out, rest[:end]...)
		}
		rest = rest[end+1:] // behind the comma, or the brace
	}
	return append(out, '}', '\n')
}

// textLength is the length of the JSON string that b begins with, quotes included.
func textLength(b []byte) int {
	end := 1
	for {
		end += bytes.IndexByte(b[end:], '"') + 1
		slashes := 0
		for b[end-2-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end
		}
	}
}
