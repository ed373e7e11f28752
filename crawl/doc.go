// Package crawl reads what sites tell crawlers: robots.txt (RFC 9309) and site maps (sitemaps.org, protocol 0.9).
//
// What it reads is taken for the work of somebody who may be wrong or hostile. A robots.txt counts up to [MostRobots] bytes; a site map is read
// up to [MostMap] bytes, unpacked, and gives at most [MostURLs] addresses of at most [MostURL] bytes each. Lines and elements that it does
// not know are left out. robots.txt knows no errors; a site map that is no XML, or ends early, is one, and what was read before it counts.
package crawl
