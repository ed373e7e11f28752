package bots

import "github.com/seawall/seawall/internal/spec"

// What crawlers are for.
const (
	search  = "search"
	ads     = "ads"
	seo     = "seo"
	ai      = "ai"
	archive = "archive"
	preview = "preview"
)

// known are the crawlers that the house knows by itself, with the domains that their operators say the names of their addresses are in. Those
// without have published ranges only, which an operator gives a node.
func known() []spec.Crawler {
	return []spec.Crawler{
		{Name: "Googlebot", Agent: "Googlebot", Category: search, Names: []string{"googlebot.com", "google.com"}},
		{Name: "Google-InspectionTool", Agent: "Google-InspectionTool", Category: search, Names: []string{"googlebot.com", "google.com"}},
		{Name: "Storebot-Google", Agent: "Storebot-Google", Category: search, Names: []string{"googlebot.com", "google.com"}},
		{Name: "AdsBot-Google", Agent: "AdsBot-Google", Category: ads, Names: []string{"google.com"}},
		{Name: "Mediapartners-Google", Agent: "Mediapartners-Google", Category: ads, Names: []string{"google.com"}},
		{Name: "bingbot", Agent: "bingbot", Category: search, Names: []string{"search.msn.com"}},
		{Name: "Applebot", Agent: "Applebot", Category: search, Names: []string{"applebot.apple.com"}},
		{Name: "YandexBot", Agent: "YandexBot", Category: search, Names: []string{"yandex.ru", "yandex.net", "yandex.com"}},
		{Name: "Baiduspider", Agent: "Baiduspider", Category: search, Names: []string{"baidu.com", "baidu.jp"}},
		{Name: "SeznamBot", Agent: "SeznamBot", Category: search, Names: []string{"seznam.cz"}},
		{Name: "PetalBot", Agent: "PetalBot", Category: search, Names: []string{"petalsearch.com"}},
		{Name: "Yahoo Slurp", Agent: "Slurp", Category: search, Names: []string{"crawl.yahoo.net"}},
		{Name: "Qwantbot", Agent: "Qwantbot", Category: search, Names: []string{"qwant.com"}},
		{Name: "MojeekBot", Agent: "MojeekBot", Category: search, Names: []string{"mojeek.com"}},
		{Name: "DuckDuckBot", Agent: "DuckDuckBot", Category: search},
		{Name: "AhrefsBot", Agent: "AhrefsBot", Category: seo, Names: []string{"ahrefs.com", "ahrefs.net"}},
		{Name: "SemrushBot", Agent: "SemrushBot", Category: seo, Names: []string{"semrush.com"}},
		{Name: "Amazonbot", Agent: "Amazonbot", Category: ai, Names: []string{"crawl.amazonbot.amazon"}},
		{Name: "GPTBot", Agent: "GPTBot", Category: ai},
		{Name: "OAI-SearchBot", Agent: "OAI-SearchBot", Category: search},
		{Name: "ClaudeBot", Agent: "ClaudeBot", Category: ai},
		{Name: "PerplexityBot", Agent: "PerplexityBot", Category: ai},
		{Name: "archive.org_bot", Agent: "archive.org_bot", Category: archive, Names: []string{"archive.org"}},
		{Name: "Pinterestbot", Agent: "Pinterestbot", Category: preview, Names: []string{"pinterest.com"}},
	}
}
