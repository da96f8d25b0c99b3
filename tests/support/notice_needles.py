"""What a notice to a member must say, in the words that it says it in. Facts of the event itself are checked apart."""

NAMES_NOBODY = frozenset({"change-your-password"})
"""Anybody who knows a date of birth may have asked for it: it tells nobody's name."""

# notice → language → what every mail of it says.
SAID: dict[str, dict[str, tuple[str, ...]]] = {
    "change-your-password": {
        "en": (
            "Change my password",
            "valid for a limited time, until",
            "Change the password at once",
            "usually arrives within a few minutes",
            "Ignore this e-mail. The password stays as it is.",
            "If an e-mail from us does not arrive",
        ),
        "fr": (
            "Modifier mon mot de passe",
            "valable pendant une durée limitée, jusqu\u2019au",
            "Modifiez le mot de passe sans attendre",
            "en général en quelques minutes",
            "Ne tenez pas compte de cet e-mail. Le mot de passe reste inchangé.",
            "Si un e-mail de notre part n\u2019arrive pas",
        ),
        "nl": (
            "Mijn wachtwoord wijzigen",
            "beperkte tijd geldig, tot",
            "Wijzig het wachtwoord dus meteen",
            "meestal binnen enkele minuten",
            "Negeer deze e-mail. Het wachtwoord blijft zoals het is.",
            "Als een e-mail van ons niet aankomt",
        ),
        "de": (
            "Mein Passwort ändern",
            "nur begrenzte Zeit gültig, bis",
            "Ändern Sie das Passwort deshalb sofort",
            "meist innerhalb weniger Minuten",
            "Ignorieren Sie diese E-Mail. Das Passwort bleibt unverändert.",
            "Wenn eine E-Mail von uns nicht ankommt",
        ),
    },
    "password-reset": {
        "en": ("The password for your account", "was reset", "If this wasn\u2019t you", "cannot be switched off"),
        "fr": (
            "Le mot de passe de votre compte",
            "a été réinitialisé",
            "Si cela ne vient pas de vous",
            "ne peuvent pas être désactivés",
        ),
        "nl": (
            "Het wachtwoord van uw account",
            "is opnieuw ingesteld",
            "Herkent u dit niet?",
            "kunnen niet worden uitgeschakeld",
        ),
        "de": (
            "das Passwort für Ihr Konto",
            "wurde zurückgesetzt",
            "Wenn Sie das nicht waren",
            "lassen sich nicht ausschalten",
        ),
    },
    "account-locked": {
        "en": (
            "was locked after failed attempts to sign in",
            "Type www.cignahealthbenefits.com into your browser yourself",
            "the e-mail that unlocks your account",
            "You can also call us on +32 3 217 68 68",
            "a log-in assistance form on our website",
            "If it wasn\u2019t you who tried",
            "cannot be switched off",
        ),
        "fr": (
            "a été bloqué après des tentatives de connexion infructueuses",
            "Saisissez vous-même www.cignahealthbenefits.com",
            "l\u2019e-mail permettant de débloquer votre compte",
            "nous appeler au +32 3 217 68 68",
            "un formulaire d\u2019aide à la connexion",
            "Si ces tentatives ne viennent pas de vous",
            "ne peuvent pas être désactivés",
        ),
        "nl": (
            "is geblokkeerd na mislukte pogingen om in te loggen",
            "Typ zelf www.cignahealthbenefits.com in uw browser",
            "de e-mail aan waarmee u uw account deblokkeert",
            "ook bellen op +32 3 217 68 68",
            "een formulier voor hulp bij het inloggen",
            "Hebt u niet zelf geprobeerd om in te loggen?",
            "kunnen niet worden uitgeschakeld",
        ),
        "de": (
            "wurde nach fehlgeschlagenen Anmeldeversuchen gesperrt",
            "Geben Sie www.cignahealthbenefits.com selbst in Ihren Browser ein",
            "die E-Mail an, mit der Sie Ihr Konto entsperren",
            "auch anrufen: +32 3 217 68 68",
            "ein Formular für Hilfe bei der Anmeldung",
            "Wenn die Anmeldeversuche nicht von Ihnen stammen",
            "lassen sich nicht ausschalten",
        ),
    },
    "unlock-account": {
        "en": (
            "Unlock my account",
            "valid for a limited time, until",
            "If you did not ask for this",
            "Call us on +32 3 217 68 68",
            "If an e-mail from us does not arrive",
        ),
        "fr": (
            "Débloquer mon compte",
            "valable pendant une durée limitée, jusqu\u2019au",
            "Si vous n\u2019avez rien demandé",
            "Appelez-nous au +32 3 217 68 68",
            "Si un e-mail de notre part n\u2019arrive pas",
        ),
        "nl": (
            "Mijn account deblokkeren",
            "beperkte tijd geldig, tot",
            "Hebt u hier niet om gevraagd?",
            "Bel ons op +32 3 217 68 68",
            "Als een e-mail van ons niet aankomt",
        ),
        "de": (
            "Mein Konto entsperren",
            "nur begrenzte Zeit gültig, bis",
            "Wenn Sie nicht darum gebeten haben",
            "Rufen Sie uns an: +32 3 217 68 68",
            "Wenn eine E-Mail von uns nicht ankommt",
        ),
    },
    "security-method-reset": {
        "en": (
            "At your next sign-in, you will have to set",
            "up again",
            "If this wasn\u2019t you",
            "cannot be switched off",
        ),
        "fr": (
            "À votre prochaine connexion, vous devrez",
            "configurer à nouveau",
            "Si cela ne vient pas de vous",
            "ne peuvent pas être désactivés",
        ),
        "nl": (
            "De volgende keer dat u inlogt, stelt u",
            "opnieuw in",
            "Herkent u dit niet?",
            "kunnen niet worden uitgeschakeld",
        ),
        "de": (
            "Bei Ihrer nächsten Anmeldung richten Sie",
            "neu ein",
            "Wenn Sie das nicht waren",
            "lassen sich nicht ausschalten",
        ),
    },
    "welcome": {
        "en": ("You now have access", "To sign in, type www.cignahealthbenefits.com", "ersonal reference number"),
        "fr": ("Vous avez désormais accès", "saisissez www.cignahealthbenefits.com", "uméro de référence personnel"),
        "nl": ("U hebt nu toegang", "typt u www.cignahealthbenefits.com", "ersoonlijk referentienummer"),
        "de": ("Sie haben jetzt Zugang", "geben Sie www.cignahealthbenefits.com", "ersönliche Referenznummer"),
    },
    "portal-access-ends": {
        "en": ("24 months after the end of your coverage", "download what you want to keep"),
        "fr": ("24 mois après la fin de votre couverture", "téléchargez ce que vous souhaitez conserver"),
        "nl": ("24 maanden na het einde van uw dekking", "download wat u wilt bewaren"),
        "de": (
            "24 Monate nach dem Ende Ihres Versicherungsschutzes",
            "laden Sie herunter, was Sie behalten möchten",
        ),
    },
}

# notice → the fact that decides → its value → language → what it says then, and never otherwise.
DEPENDS: dict[str, tuple[str, dict[object, dict[str, str]]]] = {
    "password-reset": (
        "by",
        {
            "administrator": {
                "en": "By an administrator",
                "fr": "Par un administrateur",
                "nl": "Door een beheerder",
                "de": "Durch einen Administrator",
            },
            "self-service": {
                "en": "Through the password reset on our website",
                "fr": "Par la réinitialisation du mot de passe sur notre site",
                "nl": "Via onze website",
                "de": "Über unsere Website",
            },
        },
    ),
    "security-method-reset": (
        "method",
        {
            None: {
                "en": "All of your security methods",
                "fr": "Toutes vos méthodes de sécurité",
                "nl": "Al uw beveiligingsmethoden",
                "de": "Alle Ihre Sicherheitsmethoden",
            },
            "sms": {
                "en": "Code by text message",
                "fr": "Code par SMS",
                "nl": "Code via sms",
                "de": "Code per SMS",
            },
            "authenticator-app": {
                "en": "Authenticator app",
                "fr": "Application d\u2019authentification",
                "nl": "Authenticatie-app",
                "de": "Authentifizierungs-App",
            },
        },
    ),
    "welcome": (
        "has_card",
        {
            True: {
                "en": "it is on your membership card",
                "fr": "il figure sur votre carte de membre",
                "nl": "u vindt het op uw lidkaart",
                "de": "sie steht auf Ihrer Mitgliedskarte",
            },
        },
    ),
    "portal-access-ends": (
        "reminder",
        {
            False: {
                "en": "Your coverage has ended",
                "fr": "Votre couverture a pris fin",
                "nl": "Uw dekking is geëindigd",
                "de": "Ihr Versicherungsschutz ist beendet",
            },
            True: {
                "en": "ends soon: you have",
                "fr": "prend bientôt fin : il vous reste",
                "nl": "eindigt binnenkort: u hebt nog",
                "de": "endet bald: Sie haben noch",
            },
        },
    ),
}

CARD = {"en": "card", "fr": "carte", "nl": "kaart", "de": "karte"}
REFERENCE = {
    "en": "Personal reference number",
    "fr": "Numéro de référence personnel",
    "nl": "Persoonlijk referentienummer",
    "de": "Persönliche Referenznummer",
}

CIGNA_ALONE = {"account-locked": slice(1, 5)}
"""Of the words above, those that only a brand with this portal, phone and form can say."""
