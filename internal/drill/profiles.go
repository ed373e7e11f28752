package drill

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A profile is the header lines, after Host, that a client sends with every request, in its order.
type profile string

// browserProfile draws a browser in somebody's language. Visitors and bots draw from the same pool.
func browserProfile(rng *rand.Rand) profile {
	language := []string{
		"en-GB,en;q=0.9", "en-US,en;q=0.9", "en-US,en;q=0.5", "de-DE,de;q=0.9,en;q=0.8", "de,en-US;q=0.7,en;q=0.3",
		"fr-FR,fr;q=0.9,en;q=0.8", "nl-NL,nl;q=0.9,en;q=0.8", "es-ES,es;q=0.9", "pl-PL,pl;q=0.9,en;q=0.7", "da,en;q=0.8",
	}[rng.IntN(10)]
	const html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	switch n := rng.IntN(10); {
	case n < 5:
		return chromium(rng, language)
	case n < 8:
		return lines("User-Agent", fmt.Sprintf("Mozilla/5.0 (%s; rv:%d.0) Gecko/20100101 Firefox/%[2]d.0", desktop(rng), 138+rng.IntN(4)),
			"Accept", html, "Accept-Language", language, "Accept-Encoding", "gzip, deflate", "Upgrade-Insecure-Requests", "1")
	}
	return lines("Accept", html, "User-Agent", fmt.Sprintf("Mozilla/5.0 (iPhone; CPU iPhone OS 18_%d like Mac OS X) AppleWebKit/605.1.15 "+
		"(KHTML, like Gecko) Version/18.%[1]d Mobile/15E148 Safari/604.1", rng.IntN(6)),
		"Accept-Language", language, "Accept-Encoding", "gzip, deflate")
}

func chromium(rng *rand.Rand, language string) profile {
	agent := fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", desktop(rng), 136+rng.IntN(4))
	if rng.IntN(4) == 0 {
		agent += fmt.Sprintf(" Edg/%d.0.0.0", 136+rng.IntN(4))
	}
	return lines("Upgrade-Insecure-Requests", "1", "User-Agent", agent,
		"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
		"Accept-Encoding", "gzip, deflate", "Accept-Language", language)
}

func desktop(rng *rand.Rand) string {
	return []string{"Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64"}[rng.IntN(3)]
}

func textProfile(rng *rand.Rand) profile {
	return []profile{
		lines("Accept", "text/html, text/plain, */*;q=0.01", "Accept-Encoding", "gzip", "Accept-Language", "en", "User-Agent", "Lynx/2.9.2 libwww-FM/2.14"),
		lines("User-Agent", "w3m/0.5.3+git20230121", "Accept", "text/html, text/*;q=0.5", "Accept-Encoding", "gzip", "Accept-Language", "en;q=1.0"),
	}[rng.IntN(2)]
}

func feedProfile(rng *rand.Rand) profile {
	return []profile{
		lines("User-Agent", "NetNewsWire (RSS Reader; https://netnewswire.com/)", "Accept", "application/atom+xml, application/rss+xml", "Accept-Encoding", "gzip"),
		lines("User-Agent", "FreshRSS/1.26.1 (Linux; https://freshrss.org)", "Accept", "application/atom+xml, */*;q=0.1"),
	}[rng.IntN(2)]
}

func apiProfile(rng *rand.Rand) profile {
	return lines("User-Agent", fmt.Sprintf("python-requests/2.32.%d", rng.IntN(4)), "Accept-Encoding", "gzip, deflate",
		"Accept", "application/json", "Authorization", fmt.Sprintf("Bearer %016x", rng.Uint64()))
}

func crawlerProfile(*rand.Rand) profile {
	return lines("Accept", "text/html,*/*;q=0.5", "User-Agent", "Mozilla/5.0 (compatible; Searchbot/2.1; +https://search.example/bot.html)", "Accept-Encoding", "gzip")
}

// lines joins names and values, given in turn, to header lines.
func lines(namesAndValues ...string) profile {
	var b strings.Builder
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		b.WriteString(namesAndValues[i] + ": " + namesAndValues[i+1] + "\r\n")
	}
	return profile(b.String())
}
