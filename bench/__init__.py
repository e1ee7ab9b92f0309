"""What the README's figures come from: ``make bench``. It writes nothing into the checkout."""
