package record

import (
	"crypto/tls"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/hfp"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/ja4"
)

// appendLine writes a flow as one line of JSON, in the shape of [Entry].
func (r *Room) appendLine(b []byte, f *flow.Flow, s *shard) []byte {
	q := &f.Request
	b = append(b, lineStart...)
	b = s.time.append(b, q.Received)
	b = append(b, idMark...)
	b = q.ID.Append(b)
	b = append(b, '"')
	if f.Zone != nil {
		b = appendText(b, `,"zone":"`, f.Zone.Name(), maxText)
	}
	b = r.appendClient(b, q, &s.clients)
	b = appendText(b, `,"method":"`, q.Method, maxText)
	b = appendText(b, `,"host":"`, q.Host, maxText)
	b = appendText(b, `,"target":"`, q.Target, maxTarget)
	b = appendWord(b, `,"proto":"`, q.Proto)
	if q.Fingerprint != (hfp.Fingerprint{}) {
		b = append(q.Fingerprint.Append(append(b, `,"hfp":"`...)), '"')
	}
	if t := f.Conn.TLS; t != nil {
		b = appendWord(b, `,"tls":"`, tlsVersion(t.Version))
		if t.JA4 != (ja4.Fingerprint{}) {
			b = append(append(append(b, `,"ja4":"`...), t.JA4[:]...), '"') // letters, digits and _
		}
		b = appendText(b, `,"client_subject":"`, t.ClientSubject(), maxText)
	}
	b = appendKnown(b, f)
	b = appendInt(b, `,"status":`, int64(f.Response.Status))
	b = appendInt(b, `,"bytes":`, f.Response.Bytes)
	b = appendMillis(b, `,"ms":`, f.Response.Done.Sub(q.Received))
	b = appendRooms(b, f)
	referer, agent := about(q.Fields)
	b = appendText(b, `,"referer":"`, referer, maxText)
	b = appendText(b, `,"agent":"`, agent, maxText)
	if f.Response.Err != nil {
		b = appendText(b, `,"error":"`, f.Response.Err.Error(), maxText)
	}
	if r.sample > 1 && ordinary(f) {
		b = r.appendSample(b, &q.ID)
	}
	return append(b, '}', '\n')
}

// appendKnown writes what is known of the client's address.
func appendKnown(b []byte, f *flow.Flow) []byte {
	at := f.Request.Location()
	b = appendText(b, `,"country":"`, at.Country, maxText)
	if at.ASN != 0 {
		b = appendInt(b, `,"asn":`, int64(at.ASN))
	}
	if f.Verdict.VerifiedBot {
		b = appendText(b, `,"bot":"`, f.Verdict.BotName, maxText)
	}
	return b
}

// What stands before a line's time and before its id; between them the time has always the same length.
const (
	lineStart = `{"time":"`
	idMark    = `","id":"`
	idAt      = len(lineStart) + len("2006-01-02T15:04:05.000Z")
)

// appendRooms writes what each room on the path decided, leaving out what is ordinary.
func appendRooms(b []byte, f *flow.Flow) []byte {
	b = appendWord(b, `,"verdict":"`, f.Verdict.Action.String())
	b = appendText(b, `,"rule":"`, f.Verdict.Rule, maxText)
	if len(f.Verdict.Dry) > 0 {
		b = appendText(b, `,"dry":"`, strings.Join(f.Verdict.Dry, " "), maxText)
		b = appendTrue(b, `,"undone":`, f.Verdict.Undone)
	}
	b = appendCache(b, &f.Cache)
	b = appendText(b, `,"pool":"`, f.Effective().Pool, maxText)
	if f.Admission.Waited > 0 {
		b = appendMillis(b, `,"queue_ms":`, f.Admission.Waited)
	}
	if f.Origin.Attempts > 0 {
		b = appendText(b, `,"origin":"`, f.Origin.Address, maxText)
		b = appendInt(b, `,"origin_attempts":`, int64(f.Origin.Attempts))
		b = appendTrue(b, `,"origin_reused":`, f.Origin.Reused)
		b = appendInt(b, `,"origin_status":`, int64(f.Origin.Status))
		b = appendMillis(b, `,"origin_ms":`, f.Origin.FirstByte)
	}
	if t := f.Origin.Tunnel; t != nil {
		b = appendMillis(b, `,"tunnel_ms":`, t.Duration)
		b = appendInt(b, `,"tunnel_sent":`, t.Sent)
		b = appendInt(b, `,"tunnel_received":`, t.Received)
	}
	if refusal := refusal(f); refusal != nil {
		b = appendWord(b, `,"refusal":"`, refusal.Reason.String())
		b = appendText(b, `,"refusal_rule":"`, refusal.Rule, maxText)
		b = appendText(b, `,"refusal_detail":"`, refusal.Detail, maxText)
		if refusal.RetryAfter > 0 {
			b = appendMillis(b, `,"retry_after_ms":`, refusal.RetryAfter)
		}
	}
	return b
}

func appendCache(b []byte, c *flow.Cache) []byte {
	b = appendWord(b, `,"cache":"`, c.Status.String())
	if c.Status != flow.Hit { // a hit needs no reason
		b = appendText(b, `,"cache_reason":"`, c.Reason, maxText)
	}
	if c.Message != nil && (c.Status == flow.Hit || c.Status == flow.Stale) {
		b = appendInt(b, `,"age":`, int64(c.Age/time.Second))
		b = appendInt(b, `,"ttl":`, int64(math.Floor(c.TTL.Seconds())))
	}
	b = appendTrue(b, `,"stored":`, c.Stored)
	return appendTrue(b, `,"collapsed":`, c.Collapsed)
}

// refusal is why the client was refused; nil if it was answered, be it with a stored response in place of a refusal.
func refusal(f *flow.Flow) *flow.Refusal {
	if f.Message() != nil && f.Verdict.Refusal == nil { // a rule's refusal may have an answer of its own
		return nil
	}
	return f.Refusal()
}

// about finds the two request fields that a line keeps, in one pass.
func about(fields []flow.Field) (referer, agent string) {
	for i := range fields {
		switch len(fields[i].Name) {
		case len("referer"):
			if referer == "" && flow.Named(fields[i].Name, "referer") {
				referer = fields[i].Value
			}
		case len("user-agent"):
			if agent == "" && flow.Named(fields[i].Name, "user-agent") {
				agent = fields[i].Value
			}
		}
	}
	return referer, agent
}

func tlsVersion(v uint16) string {
	if v == tls.VersionTLS13 {
		return "1.3"
	}
	return "1.2"
}

func appendInt(b []byte, key string, v int64) []byte { return appendNumber(append(b, key...), v) }

// appendNumber has the numbers at hand that most lines hold: a status, and what is less than ten.
func appendNumber(b []byte, v int64) []byte {
	switch {
	case 0 <= v && v < 10:
		return append(b, byte('0'+v))
	case 100 <= v && v < 1000:
		return append(b, byte('0'+v/100), byte('0'+v/10%10), byte('0'+v%10))
	}
	return strconv.AppendInt(b, v, 10)
}

// appendMillis writes a duration in milliseconds with three decimals.
func appendMillis(b []byte, key string, d time.Duration) []byte {
	us := max(d, 0).Microseconds()
	b = appendInt(b, key, us/1000)
	return append(b, '.', byte('0'+us/100%10), byte('0'+us/10%10), byte('0'+us%10))
}

// appendTrue writes a truth; what is not so is left out.
func appendTrue(b []byte, key string, v bool) []byte {
	if !v {
		return b
	}
	return append(append(b, key...), "true"...)
}

// clock formats times, remembering the second.
type clock struct {
	second int64
	text   [len("2006-01-02T15:04:05")]byte
}

// append adds t in UTC with milliseconds (RFC 3339).
func (c *clock) append(dst []byte, t time.Time) []byte {
	if second := t.Unix(); second != c.second || c.text[0] == 0 {
		c.second = second
		t.UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05")
	}
	ms := t.Nanosecond() / 1e6
	dst = append(dst, c.text[:]...)
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}
