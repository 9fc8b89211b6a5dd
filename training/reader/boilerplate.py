"""Lines that pages have around their text, written for this purpose. None answers a question that people ask."""

BEFORE = (
    "Skip to main content", "Skip to navigation", "Menu", "Home", "Home > Topics > Articles", "Home / Blog / News",
    "Search", "Search this site", "Sign in", "Subscribe", "My account", "Basket (0)",
    "About us", "Contact", "Products Services Support Contact", "English | Français | Deutsch", "Toggle navigation",
    "We use cookies to give you the best experience on our website.", "Accept all", "Manage preferences",
    "By continuing to use this site you agree to our use of cookies.", "This site uses cookies. Learn more.",
    "You are here: Home", "Table of contents", "On this page", "Contents hide", "Share this page", "5 min read",
    "Last updated: 12 March 2021", "Published 3 June 2019", "Posted by admin", "By Staff Writer", "Advertisement",
    "Jump to navigation Jump to search", "From Wikipedia, the free encyclopedia", "Edit this page", "Sponsored content",
    "Share on Facebook", "Tweet", "Share this: Twitter Facebook WhatsApp Email", "Follow us", "Listen to this article",
    "Sign up for our newsletter", "Get the latest news delivered to your inbox.", "JavaScript is disabled.",
    "Please enable JavaScript to view this page correctly.", "An official website", "Open main menu", "Close",
)  # fmt: skip
AFTER = (
    "Related articles", "You may also like", "Read more", "Read next", "See also", "More from this section",
    "Comments (12)", "Leave a comment", "Leave a reply", "Your email address will not be published.", "Reply",
    "Share this article", "Was this page helpful? Yes No", "Is this page useful?", "Report a problem with this page",
    "Back to top", "Previous Next", "Tags: guide, tips, how to", "Filed under: General", "View all posts",
    "Copyright 2021. All rights reserved.", "All rights reserved.", "Terms of use | Privacy policy | Contact us",
    "Privacy policy", "Terms and conditions", "Accessibility", "Sitemap", "Cookie settings", "Careers Press Investors",
    "Sign up for free", "Subscribe to our newsletter", "Follow us on social media", "Download the app",
    "Loading...", "Load more", "Show more", "Sponsored", "Advertisement", "Trending now",
    "This article was last reviewed by our editors.", "Thank you for your feedback.", "Add to cart", "Buy now",
    "References", "External links", "Further reading", "Sources", "Get help", "Contact support", "Ask a question",
)  # fmt: skip
SITES = (
    "Wikipedia", "Help Center", "The Daily News", "Blog", "Knowledge Base", "Forum", "Encyclopedia", "Health Guide",
    "Official Site", "Support", "Answers", "Journal", "FAQ", "Learn", "News",
)  # fmt: skip
