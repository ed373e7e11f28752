package h2

import "time"

// A Rate bounds how often something may happen on a connection: Burst times at once, PerSecond in the long run.
type Rate struct{ PerSecond, Burst float32 }

// Budgets bounds what costs a server more than its client. Who exceeds one is sent GOAWAY(ENHANCE_YOUR_CALM). A Rate
// with a Burst of zero means the default, as does a Continuations of zero.
type Budgets struct {
	// Resets counts RST_STREAM frames of the client on streams whose response was not complete, or was so only just
	// now (Rapid Reset, CVE-2023-44487). Default 50 a second, 300 at once: a browser that leaves a page cancels what
	// is under way, at most Settings.MaxStreams and seldom thrice in a row; a gRPC client cancels what times out.
	Resets Rate

	// StreamErrors counts stream errors that the client provokes from us, such as a malformed request, a window of zero
	// increments or too large, content after the end (MadeYouReset, CVE-2025-8671), and requests with an Excess, which
	// cost as much as they are large. Default 2 a second, 50 at once: a client that follows the RFC provokes none.
	StreamErrors Rate

	// Refused counts streams above Settings.MaxStreams. Default 20 a second, 200 at once: clients keep to the limit
	// once they know it, and until then open 100 streams or so (Chromium, gRPC, h2load -m 100).
	Refused Rate

	// Settings counts SETTINGS frames, each of which has to be acknowledged (CVE-2019-9515), and acknowledgements, but
	// for one of each. Default 1 a second, 20 at once: clients send one or two in a connection's life.
	Settings Rate

	// Pings counts PING frames (CVE-2019-9512). Default 200 a second, 1,000 at once: gRPC keeps one under way while it
	// measures a path, so that only a path of less than 5 ms could reach the rate, and each DATA frame sent to the
	// client earns one more.
	Pings Rate

	// Priorities counts PRIORITY and PRIORITY_UPDATE frames (CVE-2019-9513) beyond two for each request. Default 100 a
	// second, 500 at once: a browser sends one or two a request, and those for images that scroll into view.
	Priorities Rate

	// EmptyFrames counts DATA, HEADERS and CONTINUATION frames that carry nothing, and end nothing (CVE-2019-9518).
	// Default 10 a second, 100 at once: clients have no reason to send one.
	EmptyFrames Rate

	// WindowUpdates counts WINDOW_UPDATE frames beyond three for each DATA frame sent to the client, one more for each
	// 2 KiB of it, and one for each response. Default 50 a second, 500 at once: a client gives back what it got, for
	// the stream and for the connection, Go's by pieces of 4 KiB, and widens each window once.
	WindowUpdates Rate

	// SmallFrames counts DATA frames that the client's window made shorter than 1 KiB although there was more to send
	// (CVE-2019-9511, CVE-2019-9517); each longer one gives one back. Default 10 a second, 200 at once: a window of a
	// usual size leaves a small rest once in several full frames.
	SmallFrames Rate

	// UnknownFrames counts frames of types that we don't know, which have to be ignored. Default 10 a second, 100 at
	// once: Chromium sends one now and then to keep servers honest.
	UnknownFrames Rate

	// TableUpdates counts changes of the HPACK table's size. Default 1 a second, 20 at once: a client announces a size
	// once, with its first request.
	TableUpdates Rate

	// Continuations is the most CONTINUATION frames in one field section (CVE-2024-27316). Default 8: sections up to
	// Settings.MaxHeaderList need none or one.
	Continuations int
}

// excessUnit is how many bytes of a section with an Excess count as one stream error: it cost as much as it was large.
const excessUnit = 8 << 10

// keepEarned is how much of a budget is kept that was earned. A client may give back what it got long after.
const keepEarned = 1000

// A budget is one of the rates of Budgets, in the order of reasons and rates.
type budget uint8

const (
	resets budget = iota
	streamErrors
	refused
	settingsFrames
	pings
	priorities
	emptyFrames
	windowUpdates
	smallFrames
	unknownFrames
	tableUpdates
	nBudgets
)

// rates returns the rates with their defaults.
func (b *Budgets) rates() [nBudgets]Rate {
	r := [nBudgets]Rate{b.Resets, b.StreamErrors, b.Refused, b.Settings, b.Pings, b.Priorities, b.EmptyFrames,
		b.WindowUpdates, b.SmallFrames, b.UnknownFrames, b.TableUpdates}
	defaults := [nBudgets]Rate{{50, 300}, {2, 50}, {20, 200}, {1, 20}, {200, 1000}, {100, 500}, {10, 100},
		{50, 500}, {10, 200}, {10, 100}, {1, 20}}
	for i := range r {
		if r[i].Burst <= 0 {
			r[i] = defaults[i]
		}
	}
	return r
}

func (b budget) reason() string {
	return [nBudgets]string{"too many resets", "too many stream errors", "too many streams refused",
		"too many settings frames", "too many pings", "too many priority frames", "too many empty frames",
		"too many window updates", "too many small frames", "too many unknown frames", "too many table size updates"}[b]
}

// spent is what of each budget is used up, negative for what was earned and not used yet.
type spent struct {
	used [nBudgets]float32
	n    int       // how often something was used up that wasn't earned
	at   time.Time // when used was right
	now  time.Time // of the last Feed
}

// begin gives what clients do when they begin: SETTINGS and the acknowledgement of ours, a wider window, a table of
// another size, and the priorities of streams to come, of which Firefox used to send six.
func (u *spent) begin() {
	u.used[settingsFrames], u.used[windowUpdates], u.used[tableUpdates], u.used[priorities] = -2, -2, -1, -6
}

// refill gives back what time has earned.
func (u *spent) refill(rates *[nBudgets]Rate) {
	dt := float32(u.now.Sub(u.at).Seconds())
	if dt <= 0 {
		return
	}
	for i := range u.used {
		if u.used[i] > 0 {
			u.used[i] = max(0, u.used[i]-dt*rates[i].PerSecond)
		}
	}
	u.at = u.now
}

// tick sets the time. Refilling once a second is enough, and when something is used up.
func (u *spent) tick(now time.Time, rates *[nBudgets]Rate) {
	u.now = now
	if now.Sub(u.at) >= time.Second {
		u.refill(rates)
	}
}

// earn gives back n of a budget, and keeps what is not used up, most of it.
func (u *spent) earn(b budget, n, most float32) {
	if u.used[b] > -most {
		u.used[b] = max(-most, u.used[b]-n)
	}
}

// spend takes one off a budget.
func (s *Server) spend(b budget) *ConnError {
	u, rates := &s.spent, &s.settings.rates
	if u.used[b]+1 > rates[b].Burst {
		u.refill(rates)
	}
	if u.used[b]++; u.used[b] > 0 {
		u.n++
	}
	if u.used[b] > rates[b].Burst {
		return connError(EnhanceYourCalm, b.reason())
	}
	return nil
}

// Spent returns how often the client has done what Budgets counts, within its rates or not, but for what it has earned:
// honest clients hardly do.
func (s *Server) Spent() int { return s.spent.n }
