"""What both services' pages share: templates, forms, cookies, the policy that surrounds them."""
